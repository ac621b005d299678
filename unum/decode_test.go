package unum_test

import (
	"bytes"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// FuzzDecodeRequest holds that whatever is delivered is a request which can be passed on as it is, or is refused.
func FuzzDecodeRequest(f *testing.F) {
	req := &protocol.Request{Version: protocol.Version, Run: "r", Function: "f", State: []byte{1}, Lines: []protocol.Line{{Nonce: "n", Step: 1}, {Name: "0", Step: 1}},
		Collect: protocol.Garbage{Scopes: []protocol.Scope{{Key: "r/n", Step: 1, Width: 2}}, Blobs: []string{"b"}, Lists: []string{"l"}},
		Failure: &protocol.Outcome{Kind: protocol.Broken, Error: "E"}, Cancel: &protocol.End{Failed: true}}
	payload, err := unum.EncodeRequest(req)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"v":2,"run":"r"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		req, err := unum.DecodeRequest(payload)
		if err != nil {
			if !fault.Is(err, fault.InvalidInput) {
				t.Error(err)
			}
			return
		}
		want, err := unum.EncodeRequest(req)
		if err != nil {
			return // an outcome that is no JSON
		}
		for range 2 { // the first time, what is empty may vanish
			if req, err = unum.DecodeRequest(want); err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			got, err := unum.EncodeRequest(req)
			if err != nil || len(got) > len(want) {
				t.Fatalf("%s became %s, %v", want, got, err)
			}
			payload, want = want, got
		}
		if !bytes.Equal(payload, want) {
			t.Errorf("%s became %s", payload, want)
		}
	})
}

func TestDecodeRequest(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{``, `[]`, `7`, `{"v":0}`, `{"v":2,"run":"r","lines":[{"nonce":"n","step":1}]}`} {
		if req, err := unum.DecodeRequest([]byte(payload)); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %+v %v", payload, req, err)
		}
	}
}
