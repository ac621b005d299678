package iot_test

import (
	"strings"
	"testing"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

// TestWithoutOrchestrator holds that the thermostat does without an orchestrator what it does with one.
func TestWithoutOrchestrator(t *testing.T) {
	t.Parallel()
	needRuntimes(t)
	for _, input := range []string{message("a 00 21 C"), message("a 00 15 C", "b 01 60 F"), message("a 00 20 C", "b 01 999 C"), `{}`} {
		with := exampletest.Run(t, nil, "run", dir, "--input", input)
		without := exampletest.Deployed(t, nil, dir, "n1", input)
		if with.Code != without.Code || string(with.Stdout) != string(without.Stdout) {
			t.Errorf("input %s:\n%d %s on the engine\n%d %s without\n%s", input, with.Code, with.Stdout, without.Code, without.Stdout, without.Stderr)
		}
		if with.Code == 0 {
			continue
		}
		_, why, failed := strings.Cut(with.Stderr, "  error  ")
		if _, other, _ := strings.Cut(without.Stderr, "  error  "); !failed || !strings.HasPrefix(strings.TrimSpace(why), strings.TrimSpace(other)) {
			t.Errorf("input %s: the engine says\n%s\nand without it is said\n%s", input, with.Stderr, without.Stderr)
		}
	}
}
