package server

import (
	"strconv"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/arn"
)

// qualified is a machine, or what of it an ARN means: one of version and alias is set, or none.
type qualified struct {
	*engine.Machine
	version int
	alias   string
}

// qualified returns what a machine's ARN or name names; versions and aliases may be meant. One that does not exist is
// fault.MachineNotFound.
func (c *call) qualified(text string) (q qualified, err error) {
	a, parsed := arn.Parse(text)
	if parsed != nil || a.Kind != arn.Machine || a.Qualifier == "" || a.Label != "" {
		q.Machine, err = c.machine(text)
		return q, err
	}
	c.subject = text
	m, err := c.backend.Machine(c.ctx, a.Machine)
	if err != nil {
		return q, err
	}
	q.Machine, q.version = m, versionNumber(a.Qualifier)
	if q.version == 0 {
		q.alias = a.Qualifier
	}
	if q.version != 0 && m.FindVersion(q.version) == nil || q.alias != "" && m.FindAlias(q.alias) == nil {
		return q, fault.New("", fault.MachineNotFound, text, "no version or alias has this ARN")
	}
	return q, nil
}

// versionNumber returns the version that a qualifier is the number of; 0 when it is none. Names of aliases have a letter.
func versionNumber(qualifier string) int {
	n, err := strconv.Atoi(qualifier)
	if err != nil || n < 1 || strconv.Itoa(n) != qualifier {
		return 0
	}
	return n
}

// qualifiedARN returns the ARN of a version or an alias of a machine.
func qualifiedARN(machineARN, qualifier string) string { return machineARN + ":" + qualifier }

// versionARN returns the ARN of a version; "" for version 0.
func versionARN(machineARN string, number int) string {
	if number == 0 {
		return ""
	}
	return qualifiedARN(machineARN, strconv.Itoa(number))
}

// aliasARN returns the ARN of an alias; "" for "".
func aliasARN(machineARN, name string) string {
	if name == "" {
		return ""
	}
	return qualifiedARN(machineARN, name)
}

// readPublish reads whether an operation publishes, and the description of the version.
func (c *call) readPublish() (publish bool, description *string, err error) {
	publish = c.in.Bool("publish", false)
	description = c.in.Optional("versionDescription")
	if description != nil && !publish {
		err = invalid("Version description can only be set when publish is true")
	}
	return publish, description, err
}

func (c *call) publishStateMachineVersion() (any, error) {
	text := c.in.String("stateMachineArn")
	revision := c.in.Optional("revisionId")
	description := c.in.Optional("description")
	m, err := c.machine(text)
	if err != nil {
		return nil, err
	}
	p := engine.PublishVersion{Machine: m.Name, If: revision, Description: description}
	if revision != nil && *revision == statemachine.InitialRevision {
		p.If = new("")
	}
	v, err := c.backend.PublishVersion(c.ctx, p)
	if err != nil {
		return nil, err
	}
	return versionItem{versionARN(m.ARN, v.Number), seconds(v.Created)}, nil
}

type versionItem struct {
	ARN     string  `json:"stateMachineVersionArn"`
	Created seconds `json:"creationDate"`
}

func (c *call) deleteStateMachineVersion() (any, error) {
	text := c.in.String("stateMachineVersionArn")
	a, err := c.subresource(text)
	if err != nil {
		return nil, err
	}
	number := versionNumber(a.Qualifier)
	if number == 0 {
		return nil, fault.New("", fault.InvalidArn, text, "Resource type not valid in this context: %s is not the ARN of a version", text)
	}
	err = c.backend.DeleteVersion(c.ctx, a.Machine, number)
	if fault.Is(err, fault.MachineNotFound) {
		return empty{}, nil // deleting what is not there is no error, as on AWS
	}
	return empty{}, err
}

// subresource reads the ARN of a version or an alias.
func (c *call) subresource(text string) (arn.ARN, error) {
	c.subject = text
	a, err := arn.Parse(text)
	switch {
	case err != nil:
		return a, fault.New("", fault.InvalidArn, text, "%w", err)
	case a.Kind != arn.Machine || a.Label != "":
		return a, wrongType(a.Kind)
	}
	return a, nil
}

func (c *call) listStateMachineVersions() (any, error) {
	text := c.in.String("stateMachineArn")
	size, token := c.in.Int("maxResults"), c.in.String("nextToken")
	m, err := c.machine(text)
	if err != nil {
		return nil, err
	}
	query := []string{"ListStateMachineVersions", m.ARN}
	from, err := numberCursor(token, query)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Versions []versionItem `json:"stateMachineVersions"`
		Next     string        `json:"nextToken,omitempty"`
	}{Versions: []versionItem{}}
	for i := len(m.Versions) - 1; i >= 0; i-- { // newest first
		v := &m.Versions[i]
		if from != 0 && int64(v.Number) > from {
			continue
		}
		if len(answer.Versions) == pageOf(size) {
			answer.Next = pageToken(strconv.Itoa(v.Number), query...)
			break
		}
		answer.Versions = append(answer.Versions, versionItem{versionARN(m.ARN, v.Number), seconds(v.Created)})
	}
	return answer, nil
}

// numberCursor reads a page token whose cursor is a number; 0 without one.
func numberCursor(token string, query []string) (int64, error) {
	cursor, err := pageCursor(token, query...)
	if err != nil || cursor == "" {
		return 0, err
	}
	return strconv.ParseInt(cursor, 10, 64)
}
