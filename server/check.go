package server

import (
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// The severities of diagnostics. Only errors refuse a definition.
const (
	SeverityError   = "ERROR"
	SeverityWarning = "WARNING"
)

// Diagnostic is one problem of a definition as ValidateStateMachineDefinition answers it.
type Diagnostic struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Location string `json:"location,omitempty"` // e.g. "/States/Greet/Next"; "" when there is none
}

// Checker says what is wrong with a definition for a machine of this type, errors before warnings.
type Checker func(definition []byte, t engine.MachineType) []Diagnostic

// checkDefinition returns InvalidDefinition with all errors of a definition.
func (c *call) checkDefinition(definition string, t engine.MachineType) error {
	var words []string
	for _, d := range c.options.Check([]byte(definition), t) {
		if d.Severity != SeverityError {
			continue
		}
		s := d.Code + ": " + d.Message
		switch {
		case d.Code == string(asl.InvalidJSON): // its message has the location
		case d.Code == string(asl.MissingEnd):
			s += " at null"
		case d.Location != "":
			s += " at " + d.Location
		}
		words = append(words, s)
	}
	if len(words) == 0 {
		return nil
	}
	return fault.New("", fault.InvalidDefinition, "definition", "%s", strings.Join(words, ", "))
}

// languageChecker is the Checker of the States Language: the problems that Step Functions finds too or, in a
// definition that is good on AWS, what Weft does not support yet.
func languageChecker(l limits.Set, integrations asl.Integrations) Checker {
	return func(definition []byte, t engine.MachineType) []Diagnostic {
		_, problems := asl.Parse(definition, asl.Options{Express: t == engine.Express, Limits: l, Integrations: integrations})
		var out []Diagnostic
		for _, p := range problems.Service() {
			out = append(out, Diagnostic{Severity: SeverityError, Code: string(p.Code), Message: p.ServiceMessage, Location: p.ServiceLocation})
		}
		return out
	}
}
