package machine

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// zoo is a machine of every state type with all that may go wrong, nested.
const zoo = `{"StartAt":"In","TimeoutSeconds":5000,"States":{
 "In":{"Type":"Pass","Parameters":{"l":[1,2,3,4,5],"deep.$":"$"},"Next":"Loop"},
 "Loop":{"Type":"Map","ItemsPath":"$.l","MaxConcurrency":2,"ToleratedFailureCount":1,"ItemSelector":{"v.$":"$$.Map.Item.Value","c.$":"$$.State"},
  "Retry":[{"ErrorEquals":["States.Timeout"],"MaxAttempts":1,"JitterStrategy":"FULL"}],"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"Fork"}],
  "ResultPath":"$.r","Next":"Fork","ItemProcessor":{"StartAt":"Work","States":{
   "Work":{"Type":"Task","Resource":"f","TimeoutSeconds":9,"HeartbeatSeconds":4,"Retry":[{"ErrorEquals":["X"],"MaxAttempts":2},{"ErrorEquals":["States.ALL"],"MaxAttempts":1}],"Next":"Rest"},
   "Rest":{"Type":"Wait","Seconds":2,"Next":"Pick"},
   "Pick":{"Type":"Choice","Choices":[{"Variable":"$","IsNull":true,"Next":"Bad"}],"Default":"Good"},
   "Bad":{"Type":"Fail","Error":"Bad"},"Good":{"Type":"Pass","End":true}}}},
 "Fork":{"Type":"Parallel","Catch":[{"ErrorEquals":["States.ALL"],"Next":"Again"}],"Next":"Again","Branches":[
  {"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{"FunctionName":"g","Payload":{"t.$":"$$.Task.Token"}},"HeartbeatSeconds":7,"End":true}}},
  {"StartAt":"Inner","States":{"Inner":{"Type":"Parallel","End":true,"Branches":[
   {"StartAt":"Call","States":{"Call":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"h","LogType":"Tail"},"OutputPath":"$.Payload","End":true}}},
   {"StartAt":"Nap","States":{"Nap":{"Type":"Wait","Seconds":3,"End":true}}}]}}}]},
 "Again":{"Type":"Choice","Choices":[{"Variable":"$[0]","IsPresent":true,"Next":"Out"}],"Default":"In"},
 "Out":{"Type":"Succeed"}}}`

// queryZoo is as zoo, in JSONata and with variables.
const queryZoo = `{"QueryLanguage":"JSONata","StartAt":"In","TimeoutSeconds":5000,"States":{
 "In":{"Type":"Pass","Assign":{"n":"{% $exists($n) ? $n + 1 : 1 %}","s":"{% $string($states.input) %}"},"Output":{"l":[1,"{% $states.input %}",3],"o":{"k":"{% $n ? $n : 0 %}","j":1}},"Next":"Loop"},
 "Loop":{"Type":"Map","Items":"{% $n % 2 = 0 ? $states.input.l : $states.input.o %}","MaxConcurrency":"{% $n %}","ToleratedFailureCount":1,"ItemSelector":{"v":"{% $states.context.Map.Item %}"},
  "Retry":[{"ErrorEquals":["States.QueryEvaluationError"],"MaxAttempts":1}],"Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"e":"{% $states.errorOutput %}"},"Output":"{% $states.errorOutput.Error %}","Next":"Fork"}],
  "Assign":{"r":"{% $states.result[0] %}"},"Next":"Fork","ItemProcessor":{"StartAt":"Work","States":{
   "Work":{"Type":"Task","Resource":"f","Arguments":"{% $states.input.v %}","TimeoutSeconds":"{% 9 %}","Assign":{"w":"{% $states.result.v.w %}"},"Retry":[{"ErrorEquals":["X"],"MaxAttempts":2}],"Next":"Pick"},
   "Pick":{"Type":"Choice","Choices":[{"Condition":"{% $w = 'x' %}","Assign":{"p":true},"Output":"{% $w %}","Next":"Rest"}],"Default":"Bad"},
   "Rest":{"Type":"Wait","Seconds":"{% $length($states.input) %}","End":true},
   "Bad":{"Type":"Fail","Error":"{% 'Bad' & $n %}"}}}},
 "Fork":{"Type":"Parallel","Arguments":"{% $n %}","Catch":[{"ErrorEquals":["States.ALL"],"Next":"Again"}],"Next":"Again","Branches":[
  {"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Arguments":{"FunctionName":"g","Payload":{"t":"{% $states.context.Task.Token %}"}},"HeartbeatSeconds":7,"Assign":{"got":"{% $states.result %}"},"Next":"Tell"},
   "Tell":{"Type":"Pass","Output":"{% [$got, $e, $r] %}","End":true}}},
  {"StartAt":"Nap","States":{"Nap":{"Type":"Wait","Seconds":3,"Assign":{"u":"{% $uuid() %}"},"End":true}}}]},
 "Again":{"Type":"Choice","Choices":[{"Condition":"{% $n > 2 %}","Next":"Out"}],"Default":"In"},
 "Out":{"Type":"Succeed","Output":"{% $s %}"}}}`

// wander sends a run random events, mostly ones it waits for, and checks every step.
func wander(w *world, r *rand.Rand, steps int) {
	outputs := []string{`{}`, `null`, `[1]`, `{"v":{"w":"x"}}`, `"text"`, `7`}
	errs := []string{"X", "Y", "States.Timeout", "States.DataLimitExceeded", "States.Runtime", ""}
	w.step(Event{Kind: Start, Now: w.now, Output: []byte(outputs[r.IntN(len(outputs))])})
	for range steps {
		ev := Event{Kind: EventKind(r.IntN(int(Redrive) + 2)), ID: r.Uint64N(w.lastID + 2), Output: []byte(outputs[r.IntN(len(outputs))]),
			Error: errs[r.IntN(len(errs))], StartFailed: r.IntN(8) == 0}
		if ev.Kind == Stop && r.IntN(20) > 0 {
			ev.Kind = TimerFired
		}
		if len(w.queue) > 0 && r.IntN(4) > 0 {
			i := r.IntN(len(w.queue))
			if j := r.IntN(len(w.queue)); w.queue[j].at < w.queue[i].at {
				i = j
			}
			d := w.queue[i]
			w.now = max(w.now, d.at)
			kind := ev.Kind
			ev.ID, ev.Kind = d.ev.ID, d.ev.Kind
			switch {
			case d.ev.Kind == TaskSucceeded && (kind == TaskFailed || kind == TaskHeartbeat || kind == TaskSubmitted):
				ev.Kind = kind
			case d.ev.Kind == TaskSubmitted && r.IntN(2) == 0:
				ev.Kind = TaskSucceeded
			}
		}
		if stopped := w.f.StoppedIn(); ev.Kind == Redrive && len(stopped) > 0 && r.IntN(2) == 0 {
			ev.Amendment = Amendment{State: stopped[r.IntN(len(stopped))].State.Name, Input: ev.Output}
			if r.IntN(2) == 0 {
				ev.Amendment.Output = ev.Output
			}
			if w.f.Check(ev.Amendment) != nil {
				ev.Amendment.Output = nil
			}
		}
		w.now += r.Int64N(1500)
		ev.Now = w.now - r.Int64N(2)*500
		w.step(ev)
	}
}

func wanderer(t testing.TB, definition string, seed uint64) *world {
	return wanderIn(t, parse(t, definition), seed)
}

// wandererIfValid is wanderer, nil for a definition that the validator refuses.
func wandererIfValid(t testing.TB, definition string, seed uint64) *world {
	m, problems := asl.Parse([]byte(definition), asl.Options{})
	if len(problems) > 0 {
		return nil
	}
	return wanderIn(t, m, seed)
}

func wanderIn(t testing.TB, m *asl.Machine, seed uint64) *world {
	l := limits.Default
	l.HistoryEvents = 400
	l.PayloadBytes = 4000
	w := newWorld(t, m, Execution{ID: "arn:run", Name: "run", Seed: seed}, l)
	w.in.MaxTransitions = 3
	return w
}

func TestRandomEvents(t *testing.T) {
	t.Parallel()
	ends := map[Status]int{}
	for seed := range uint64(100) {
		for _, definition := range []string{zoo, queryZoo} {
			w := wanderer(t, definition, seed)
			wander(w, rand.New(rand.NewPCG(seed, 1)), 250)
			ends[w.f.Status()]++
		}
	}
	for _, s := range []Status{Succeeded, Failed, TimedOut, Aborted} {
		if ends[s] == 0 {
			t.Errorf("no run ended %v: the wander does not reach it (%v)", s, ends)
		}
	}
}

func FuzzStep(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint16(100))
	f.Fuzz(func(t *testing.T, a, b uint64, n uint16) {
		wander(wanderer(t, []string{zoo, queryZoo}[a%2], a), rand.New(rand.NewPCG(a, b)), int(n%500))
	})
}

func FuzzDecodeFrame(f *testing.F) {
	for seed := range uint64(4) {
		w := wanderer(f, []string{zoo, queryZoo}[seed%2], seed)
		w.check = false
		wander(w, rand.New(rand.NewPCG(seed, 3)), 20*int(seed+1))
		f.Add(w.f.AppendBinary(nil), 2+seed)
	}
	ins := []*Interpreter{{Definition: parse(f, zoo)}, {Definition: parse(f, queryZoo)}}
	f.Fuzz(func(t *testing.T, data []byte, id uint64) {
		in := ins[id%2]
		frame, err := DecodeFrame(data, in)
		if err != nil {
			return
		}
		again := frame.AppendBinary(nil)
		if _, err := DecodeFrame(again, in); err != nil {
			t.Fatalf("a decoded frame encodes to what does not decode: %v", err)
		}
		var out Output
		for kind := Start; kind <= Redrive; kind++ {
			in.Step(frame, Event{Kind: kind, ID: id, Now: 1, Output: []byte(`{}`)}, &out)
		}
	})
}

func TestElementsAreThoseOfTheArray(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	parts := []string{`1`, `"a,b"`, `"\\\""`, `[]`, `{}`, `[1,[2],"]"]`, `{"a":[1,{"b":"}"}],"c":2}`, `null`, `"é\u005d"`}
	for range 500 {
		var want []string
		for range r.IntN(6) {
			want = append(want, parts[r.IntN(len(parts))])
		}
		array := []byte("[" + strings.Join(want, ",") + "]")
		if n := countElements(array); n != len(want) {
			t.Fatalf("%s: %d elements, want %d", array, n, len(want))
		}
		at := 1
		for _, x := range want {
			var got []byte
			if got, at = nextElement(array, at); string(got) != x {
				t.Fatalf("%s: element %s, want %s", array, got, x)
			}
		}
	}
}

func TestWildcardIsTheRegularExpression(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	pick := func(from []string, n int) string {
		var b strings.Builder
		for range r.IntN(n) {
			b.WriteString(from[r.IntN(len(from))])
		}
		return b.String()
	}
	for range 20_000 {
		pattern, text := pick([]string{"a", "b", "*", `\*`, `\\`}, 6), pick([]string{"a", "b", "*", `\`}, 7)
		expression := strings.NewReplacer(`\*`, `\*`, `\\`, `\\`, `*`, `.*`).Replace(pattern)
		want := regexp.MustCompile(`^` + expression + `$`).MatchString(text)
		if got := wildcard(pattern, text); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	}
}

func TestOperators(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		op, v, other string
		want         bool
	}{
		{"NumericEquals", `1`, `1.0`, true},
		{"NumericEquals", `"1"`, `1`, false},
		{"NumericLessThan", `9007199254740992`, `9007199254740993`, true},
		{"NumericGreaterThanEquals", `2`, `2`, true},
		{"StringLessThan", `"a"`, `"b"`, true},
		{"StringLessThan", `"\ud83d\ude00"`, `"\uffff"`, true}, // by UTF-16 code units
		{"StringEquals", `"a"`, `"a"`, true},
		{"StringEquals", `1`, `"1"`, false},
		{"StringGreaterThan", `"ab"`, `"a"`, true},
		{"BooleanEquals", `true`, `true`, true},
		{"BooleanEquals", `"true"`, `true`, false},
		{"TimestampEquals", `"2026-01-01T00:00:00Z"`, `"2026-01-01T01:00:00+01:00"`, true},
		{"TimestampLessThan", `"2026-01-01T00:00:00Z"`, `"2026-01-01T00:00:00.1Z"`, true},
		{"TimestampLessThan", `"soon"`, `"2026-01-01T00:00:00Z"`, false},
		{"TimestampGreaterThanEquals", `"2026-01-01T00:00:00Z"`, `"2026-01-01T00:00:00Z"`, true},
		{"IsNull", `null`, `true`, true},
		{"IsNull", `0`, `false`, true},
		{"IsNumeric", `"0"`, `true`, false},
		{"IsString", `"0"`, `true`, true},
		{"IsBoolean", `false`, `true`, true},
		{"IsTimestamp", `"2026-01-01T00:00:00Z"`, `true`, true},
		{"IsTimestamp", `"2026-01-01"`, `true`, false},
		{"StringMatches", `"log-1.txt"`, `"log-*.txt"`, true},
		{"NoSuchOperator", `1`, `1`, false},
	} {
		if got := test(tc.op, tree(t, tc.v), tree(t, tc.other)); got != tc.want {
			t.Errorf("%s %s %s = %v", tc.v, tc.op, tc.other, got)
		}
	}
}

func tree(t *testing.T, text string) any {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Fatalf("%s is no JSON", text)
	}
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
