package ir

import "testing"

func TestPicture(t *testing.T) {
	t.Parallel()
	const functions = `
- {name: A, code: a, start: true, checkpoint: false, retry: {maxAttempts: 2}, next: [{map: F, if: $out.x}, {invoke: A, next: true, if: otherwise}, {catch: C}]}
- {name: F, code: F, next: {invoke: G}}
- {name: G, next: {fanIn: J, values: [F-$0, G-($0 + 1)], if: $0 < 1, $0: $0 + 1}}
- {name: J, code: J}
- {name: C, code: C}
`
	a, err := Parse([]File{{Name: "app.yaml", Text: []byte("version: 1\nname: app\nfunctions:" + functions)}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `flowchart TD
  start0(( )) --> n0
  n0["A<br/>a, no checkpoint, retry"]
  n1["F"]
  n2["G<br/>no code"]
  n3["J"]
  n4["C"]
  n0 ==>|"each<br/>if $out.x"| n1
  n0 -->|"if otherwise<br/>next iteration"| n0
  n0 -.->|"on States.ALL"| n4
  n1 --> n2
  n2 ==>|"F-$0, G-($0 + 1)<br/>if $0 #lt; 1<br/>$0 = $0 + 1"| n3
  n1 -.->|"F-$0"| n3
`
	if got := string(a.Picture().Mermaid()); got != want {
		t.Errorf("the picture is\n%s", got)
	}
	compiled := &App{Version: 1, Name: "app", Machine: []byte("{}"), Functions: []*Function{{
		Name: "Count-words", Code: "count", Start: true, Glue: &Glue{State: "/States/Count words"},
		Next: []Continuation{{Kind: Invoke, To: "Count-words", If: ExitIs("Count-words")}},
	}}}
	const again = "flowchart TD\n  start0(( )) --> n0\n  n0[\"Count-words<br/>count\"]\n  n0 -->|\"again\"| n0\n"
	if got := string(compiled.Picture().Mermaid()); got != again {
		t.Errorf("the compiled one is\n%s", got)
	}
}
