package reference

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/unum/ir"
)

// floors are how many cases of each file must end as recorded.
var floors = map[string]int{"pure": 178, "lambda": 63}

// comparable reports whether Weft's interpreter runs the case with nothing but functions.
func comparable(c *conformance.Case) (ok, valid bool) {
	valid = true
	if !c.Comparable() {
		return false, false
	}
	for _, e := range c.Executions {
		m := c.Machine(e.MachineARN)
		if m == nil || strings.Contains(m.Definition, `"ItemReader"`) || strings.Contains(m.Definition, `"ResultWriter"`) {
			return false, false
		}
		_, problems := asl.Parse([]byte(m.Definition), asl.Options{Express: m.Type == "EXPRESS", Limits: limits.AWS})
		if problems.Unsupported() {
			return false, false
		}
		valid = valid && len(problems) == 0
	}
	return true, valid
}

// TestConformance runs the recordings through compiled machines.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	for _, file := range []string{"pure", "lambda"} {
		cases, err := conformance.Load(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		agree, total, left := 0, 0, 0
		for _, c := range cases {
			ok, valid := comparable(c)
			if !ok {
				left++
				continue
			}
			total++
			if why := play(t, c, valid); why != "" {
				t.Logf("%s: %s", c.ID, why)
				continue
			}
			agree++
		}
		fmt.Printf("conformance: %s, compiled into its functions: T1 %d/%d (left out: %d)\n", file, agree, total, left)
		if agree < floors[file] {
			t.Errorf("%s: %d cases agree, %d did before", file, agree, floors[file])
		}
	}
}

// play runs a case and says why it does not agree.
func play(t *testing.T, c *conformance.Case, valid bool) string {
	var answers []conformance.Answer
	all, err := Record(c)
	if err != nil && valid {
		return err.Error()
	}
	if err != nil {
		answers = make([]conformance.Answer, len(c.Executions))
		for i := range answers {
			answers[i].Status = "INVALID_DEFINITION"
		}
	}
	for _, r := range all {
		end, err := Run(r.Program, Options{Run: r.Run, Input: r.Input, Started: 1_767_225_600_000, Timeout: r.Timeout, Code: r.Code, Invoked: edges(t, c, r)})
		if err != nil {
			return err.Error()
		}
		answers = append(answers, Answer(end))
	}
	if tiers := c.Compare(answers); !tiers.T1 {
		return tiers.Why
	}
	return ""
}

// edges checks that whatever happens is in the app's continuations.
func edges(t *testing.T, c *conformance.Case, r *Recorded) func(from, to string) {
	if problems := r.App.Validate(); len(problems) > 0 {
		t.Errorf("%s: the compiled app is not valid: %v", c.ID, problems)
	}
	may, heads := map[[2]string]bool{}, map[string]bool{}
	for _, f := range r.App.Functions {
		for i := range f.Next {
			may[[2]string{f.Name, f.Next[i].To}] = true
			heads[f.Next[i].To] = heads[f.Next[i].To] || f.Next[i].Kind == ir.Map
		}
	}
	return func(from, to string) {
		// The end of an iteration may begin another, where not all run at a time.
		if from != "" && !may[[2]string{from, to}] && !heads[to] {
			t.Errorf("%s: %s invokes %s, which its continuations do not say", c.ID, from, to)
		}
	}
}
