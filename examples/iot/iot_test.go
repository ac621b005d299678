// Package iot_test runs the thermostat of examples/iot, and its two functions by themselves.
package iot_test

import (
	"strings"
	"testing"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

func needRuntimes(t *testing.T) {
	t.Helper()
	exampletest.Need(t, "python3", "Python 3.9 or later")
	exampletest.Need(t, "node", "Node.js 18.17 or later")
}

func TestRun(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	got := exampletest.Run(t, nil, "run", dir)
	want := `{"hub":"home-1","celsius":19.39,"hvac":"heat","changed":true,"why":"19.39 C is below 20.5 C"}`
	if got.Code != 0 || strings.TrimSpace(string(got.Stdout)) != want {
		t.Errorf("exit code %d, result %s, want %s\n%s", got.Code, got.Stdout, want, got.Stderr)
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	var got command
	exampletest.Result(t, nil, dir, message("a 00 21 C"), &got)
	if got.HVAC != "off" || got.Changed {
		t.Errorf("result %+v", got)
	}
}

func TestBadReading(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	for input, want := range map[string]string{
		message("a 00 20 C", "b 01 999 C"): "readings[1].temperature: 999 C of sensor 'b' is outside -40 to 85 C",
		`{}`:                               "hub: give the hub's name",
		`"x"`:                              "not an object",
	} {
		got := exampletest.Run(t, nil, "run", dir, "--input", input)
		if got.Code != 1 || len(got.Stdout) > 0 || !strings.Contains(got.Stderr, "BadReading") || !strings.Contains(got.Stderr, want) {
			t.Errorf("input %s: exit code %d\n%s%s", input, got.Code, got.Stdout, got.Stderr)
		}
	}
}
