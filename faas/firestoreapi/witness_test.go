package firestoreapi_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/internal/testserver"
)

// TestNodeClient lets Google's client for Node.js, which shares no code with the one for Go, say what it was told.
func TestNodeClient(t *testing.T) {
	t.Parallel()
	server, err := firestoreapi.Start(firestoreapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	out := testserver.Node(t, "testdata/node", "witness.js", "FIRESTORE_EMULATOR_HOST="+server.Addr())
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string]any{
		"getOfNothing": false, "updateOfNothing": 5., "secondCreate": 6., "later": true, "updateOfAnOldVersion": 9., "deleteOfNothing": 5.,
		"document": map[string]any{
			"in": map[string]any{"a": "y", "b": []any{1.5, nil, true}}, "at": 1500., "raw": "0102", "more": map[string]any{"k": "v"},
		},
		"transformed": map[string]any{"n": 42., "f": 1.5, "set": []any{1., "b"}, "when": true},
		"counted":     8., "before": 8., "rolledBack": 5., "nothingOfIt": false,
		"queries": map[string]any{
			"equal": "d1 d4", "range": "d2 d3", "order": "d2 d5 d1", "cursor": "d4 d5", "names": "d2 d3", "contains": "d1 d3 d5", "or": "d0 d5",
		},
		"group": "x y", "listed": "d0 d1 d2 d3 d4 d5 ghost", "collections": "counters numbers transforms", "afterRecursiveDelete": 0.,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
