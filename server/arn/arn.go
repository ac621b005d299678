// Package arn reads and writes the Amazon Resource Names of Step Functions: machines, their runs,
// activities and map runs. Region and account are carried, never judged: a node answers for every
// region and account a client was configured with.
//
//	a, err := arn.Parse("arn:aws:states:us-east-1:123456789012:execution:greet:first")
//	// a.Kind == arn.Run, a.Machine == "greet", a.Name == "first"
package arn

import (
	"fmt"
	"strings"
)

// Kind is the type of resource an ARN names.
type Kind uint8

// The kinds of resources.
const (
	Machine    Kind = iota + 1 // stateMachine:MACHINE, optionally :QUALIFIER or /LABEL
	Run                        // execution:MACHINE:NAME
	ExpressRun                 // express:MACHINE:NAME:UUID
	Activity                   // activity:NAME
	MapRun                     // mapRun:MACHINE[/LABEL]:NAME
)

var types = [...]string{Machine: "stateMachine", Run: "execution", ExpressRun: "express", Activity: "activity", MapRun: "mapRun"}

// String returns the resource type as ARNs spell it.
func (k Kind) String() string {
	if int(k) >= len(types) || types[k] == "" {
		return "?"
	}
	return types[k]
}

// ARN is a parsed Amazon Resource Name of service "states".
type ARN struct {
	Partition, Region, Account string

	Kind      Kind
	Machine   string // the machine; "" for an activity
	Name      string // run, activity or map run; for an express run "NAME:UUID"
	Qualifier string // Machine: version number or alias
	Label     string // Machine, MapRun: label of a distributed Map state
}

// Parse reads an ARN. Its errors are what Step Functions puts between the quotes of "Invalid Arn: '…'".
func Parse(text string) (ARN, error) {
	if !strings.HasPrefix(text, "arn:") {
		return ARN{}, fmt.Errorf("Invalid ARN prefix: %s", text)
	}
	part := strings.SplitN(text, ":", 7)
	if len(part) < 7 || part[1] == "" || part[6] == "" {
		return ARN{}, fmt.Errorf("Invalid ARN: %s has too few parts; it is written arn:PARTITION:states:REGION:ACCOUNT:TYPE:NAME", text)
	}
	if part[2] != "states" {
		return ARN{}, fmt.Errorf("Invalid ARN service: %s names service '%s', not 'states'", text, part[2])
	}
	a := ARN{Partition: part[1], Region: part[3], Account: part[4]}
	for k, name := range types {
		if name != "" && name == part[5] {
			a.Kind = Kind(k)
		}
	}
	if a.Kind == 0 {
		return ARN{}, fmt.Errorf("Invalid ARN resource type: %s", part[5])
	}
	if !a.resource(part[6]) {
		return ARN{}, fmt.Errorf("Invalid ARN: the resource '%s' of %s is not complete", part[6], text)
	}
	return a, nil
}

// resource reads what follows the resource type.
func (a *ARN) resource(text string) bool {
	if a.Kind == Activity {
		a.Name = text
		return !strings.Contains(text, ":")
	}
	var rest string
	var more bool
	a.Machine, rest, more = strings.Cut(text, ":")
	if a.Kind == Machine || a.Kind == MapRun {
		a.Machine, a.Label, _ = strings.Cut(a.Machine, "/")
	}
	if a.Machine == "" || more && rest == "" {
		return false
	}
	if a.Kind == Machine {
		a.Qualifier = rest
		return true
	}
	a.Name = rest
	return more
}

// String writes the ARN.
func (a ARN) String() string {
	s := "arn:" + a.Partition + ":states:" + a.Region + ":" + a.Account + ":" + a.Kind.String() + ":"
	if a.Kind == Activity {
		return s + a.Name
	}
	s += a.Machine
	if a.Label != "" {
		s += "/" + a.Label
	}
	if a.Kind == Machine {
		if a.Qualifier != "" {
			s += ":" + a.Qualifier
		}
		return s
	}
	return s + ":" + a.Name
}
