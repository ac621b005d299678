package ir

import (
	"testing"
)

func TestFixturesAreValid(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"excamera.yaml"} {
		a, err := Parse(load(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Validate().Err(); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
	}
}
