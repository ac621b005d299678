package statemachine

import (
	"reflect"
	"testing"
)

func TestRevisionsKeepTheirMocks(t *testing.T) {
	t.Parallel()
	v := &Revision{Machine: "m", ID: "i", RoleARN: "r", Express: true, Definition: []byte(`{}`)}
	if b := v.Encode(); b[0] != formatVersion {
		t.Errorf("a revision without mocks has format %d", b[0])
	}
	mocks := []byte(`{"StateMachines":{"m":{"TestCases":{"C":{"S":"R"}}}},"MockedResponses":{"R":{"0":{"Return":1}}}}`)
	blob, err := Mocked(v.Encode(), mocks)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRevision(blob)
	v.Mocks = mocks
	if err != nil || !reflect.DeepEqual(got, v) || blob[0] != formatMocked {
		t.Errorf("%+v, %v", got, err)
	}
	m, err := got.mocks()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := m.Respond("S", 0, 0); !ok || string(r.Output) != "1" {
		t.Errorf("%+v, %v", r, ok)
	}
	for _, bad := range []string{`{`, `{"StateMachines":{}}`} {
		if _, err := Mocked(blob, []byte(bad)); err == nil {
			t.Errorf("%s was taken for a test case", bad)
		}
	}
}
