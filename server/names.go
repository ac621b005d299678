package server

import (
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// validName reports whether Step Functions takes a text as the name of a machine or a run: 1 to 80 characters
// without space, brackets, wildcards, the special characters below, controls and non-characters.
// Source: AWS, API reference of CreateStateMachine and StartExecution, "name".
func validName(name string) bool {
	if n := utf8.RuneCountInString(name); n == 0 || n > limits.NameChars {
		return false
	}
	for _, r := range name {
		switch {
		case r <= ' ', r >= 0x7F && r <= 0x9F, r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError:
			return false
		case strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r):
			return false
		}
	}
	return true
}

// checkName returns InvalidName unless the name is valid.
func checkName(name string) error {
	if validName(name) {
		return nil
	}
	return fault.New("", fault.InvalidName, name, "%s", name)
}
