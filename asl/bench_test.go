package asl

import (
	"fmt"
	"strings"
	"testing"
)

// large is a definition of n states of all kinds, half of them with an expression.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"QueryLanguage":"JSONata","StartAt":"State 0","States":{`)
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		next := fmt.Sprintf(`"Next":"State %d"`, i+1)
		if i == n-1 {
			next = `"End":true`
		}
		fmt.Fprintf(&b, `"State %d":`, i)
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, `{"Type":"Pass","Output":{"n":"{%% $states.input.n + %d %%}"},%s}`, i, next)
		case 1:
			fmt.Fprintf(&b, `{"Type":"Task","Resource":"f","TimeoutSeconds":5,"Retry":[{"ErrorEquals":["States.ALL"]}],%s}`, next)
		case 2:
			fmt.Fprintf(&b, `{"Type":"Choice","Choices":[{"Condition":"{%% $states.input.n > %d %%}","Next":"State %d"}],"Default":"State %d"}`, i, i+1, i+1)
		case 3:
			fmt.Fprintf(&b, `{"Type":"Wait","Seconds":1,%s}`, next)
		}
	}
	b.WriteString("}}")
	return []byte(b.String())
}

// BenchmarkLargeMachine reads and validates a machine of 10,000 states, which must take less than 100 ms.
func BenchmarkLargeMachine(b *testing.B) {
	text := large(10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Parse(text, Options{}); len(problems) > 0 {
			b.Fatal(problems.Err())
		}
	}
}
