package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/console"
)

const definition = `{"StartAt":"Check","States":{
  "Check":{"Type":"Choice","Choices":[
    {"And":[{"Variable":"$.n","NumericGreaterThan":3},{"Not":{"Variable":"$.s","StringEquals":"a \"b\""}}],"Next":"Each"},
    {"Variable":"$.x","IsPresent":false,"Next":"Pause"}],"Default":"Bad"},
  "Each":{"Type":"Map","MaxConcurrency":4,"ItemProcessor":{"StartAt":"Work","States":{
    "Work":{"Type":"Task","Resource":"work","Retry":[{"ErrorEquals":["States.ALL"]}],"End":true}}},
    "Catch":[{"ErrorEquals":["A","B"],"Next":"Bad"}],"Next":"Both"},
  "Pause":{"Type":"Wait","Seconds":5,"Next":"Both"},
  "Both":{"Type":"Parallel","Branches":[
    {"StartAt":"L","States":{"L":{"Type":"Pass","End":true}}},
    {"StartAt":"R","States":{"R":{"Type":"Succeed"}}}],"End":true},
  "Bad":{"Type":"Fail","Error":"E"}}}`

func parse(t *testing.T) *asl.Machine {
	t.Helper()
	m, problems := asl.Parse([]byte(definition), asl.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTree(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Tree(&b, "demo", parse(t), console.Style{})
	want := `demo  starts at Check
├─ Check  Choice
│    $.n > 3 and not ($.s = "a \"b\"")  → Each
│    $.x is not present  → Pause
│    otherwise  → Bad
├─ Each   Map, at most 4 at a time  → Both
│    on A, B  → Bad
│  └─ Work  Task work, 1 retrier  → end
├─ Pause  Wait 5s                   → Both
├─ Both   Parallel, 2 branches      → end
│  branch 1  starts at L
│  └─ L  Pass  → end
│  branch 2  starts at R
│  └─ R  Succeed  → end
└─ Bad    Fail E
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestMermaid(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Mermaid(&b, parse(t))
	for _, want := range []string{
		"flowchart TD\n  start(( )) --> s0\n",
		`  s0{"Check"}`,
		`  s0 -->|"$.n #gt; 3 and not ($.s = #quot;a \#quot;b\#quot;#quot;)"| s1`,
		`  subgraph s1["Each (Map, at most 4 at a time)"]` + "\n" + `    s2["Work<br/>Task work, 1 retrier"]` + "\n  end\n",
		`  s1 -.->|"on A, B"| `,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestDot(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	Dot(&b, `a "name"`, parse(t))
	for _, want := range []string{
		`digraph "a \"name\"" {`, "  start -> s0;\n", "subgraph cluster_1 {", `[label="on A, B", style=dashed];`,
		`[label="$.n > 3 and not ($.s = \"a \\\"b\\\"\")"];`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Count(b.String(), "{") != strings.Count(b.String(), "}") {
		t.Error("braces do not match")
	}
}
