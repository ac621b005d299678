package server

import (
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
)

// typeOf reads the type of a machine; absent is STANDARD.
func typeOf(text string) engine.MachineType {
	if text == "EXPRESS" {
		return engine.Express
	}
	return engine.Standard
}

func typeName(t engine.MachineType) string {
	if t == engine.Express {
		return "EXPRESS"
	}
	return "STANDARD"
}

func (c *call) createStateMachine() (any, error) {
	name := c.in.String("name")
	definition := c.in.String("definition")
	role := c.in.String("roleArn")
	kind := typeOf(c.in.String("type"))
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	extra, err := c.readSettings()
	if err != nil {
		return nil, err
	}
	publish, description, err := c.readPublish()
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkRole(role); err != nil {
		return nil, err
	}
	if err := c.checkDefinition(definition, kind); err != nil {
		return nil, err
	}
	m, err := c.backend.CreateMachine(c.ctx, engine.CreateMachine{
		Name: name, Type: kind, Definition: []byte(definition), RoleARN: role, Tags: tags, Extra: extra,
		Publish: publish, VersionDescription: description})
	if err != nil {
		c.subject = c.arnOf(name, err)
		return nil, err
	}
	answer := struct {
		ARN        string  `json:"stateMachineArn"`
		Created    seconds `json:"creationDate"`
		VersionARN string  `json:"stateMachineVersionArn,omitempty"`
	}{ARN: m.ARN, Created: seconds(m.Created)}
	if publish {
		answer.VersionARN = versionARN(m.ARN, m.Version)
	}
	return answer, nil
}

// arnOf finds the ARN that the errors of CreateStateMachine quote; the name when there is none.
func (c *call) arnOf(name string, err error) string {
	if fault.Is(err, fault.MachineExists) || fault.Is(err, fault.MachineDeleting) {
		if m, err := c.backend.Machine(c.ctx, name); err == nil {
			return m.ARN
		}
	}
	return name
}

func (c *call) updateStateMachine() (any, error) {
	text := c.in.String("stateMachineArn")
	definition := c.in.Optional("definition")
	role := c.in.Optional("roleArn")
	extra, err := c.readSettings()
	if err != nil {
		return nil, err
	}
	publish, description, err := c.readPublish()
	if err != nil {
		return nil, err
	}
	if definition == nil && role == nil && len(extra) == 0 && !c.in.Has(keyEncryption) {
		return nil, refuse("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	m, err := c.machine(text)
	if err != nil {
		return nil, err
	}
	if role != nil {
		if err := checkRole(*role); err != nil {
			return nil, err
		}
	}
	u := engine.UpdateMachine{Name: m.Name, RoleARN: role, Extra: extra, Publish: publish, VersionDescription: description}
	if definition != nil {
		if err := c.checkDefinition(*definition, m.Type); err != nil {
			return nil, err
		}
		u.Definition = []byte(*definition)
	}
	if m, err = c.backend.UpdateMachine(c.ctx, u); err != nil {
		return nil, err
	}
	answer := struct {
		Updated    seconds `json:"updateDate"`
		Revision   string  `json:"revisionId,omitempty"`
		VersionARN string  `json:"stateMachineVersionArn,omitempty"`
	}{Updated: seconds(m.Updated), Revision: m.Revision}
	if publish {
		answer.VersionARN = versionARN(m.ARN, m.Version)
	}
	return answer, nil
}

// machine returns the machine that an ARN or a name names.
func (c *call) machine(text string) (*engine.Machine, error) {
	name, err := c.machineName(text)
	if err != nil {
		return nil, err
	}
	return c.backend.Machine(c.ctx, name)
}

func (c *call) deleteStateMachine() (any, error) {
	text := c.in.String("stateMachineArn")
	name, err := c.machineName(text)
	if fault.Is(err, fault.MachineNotFound) {
		return empty{}, nil // deleting what is not there is no error, as on AWS
	}
	if err != nil {
		return nil, err
	}
	return empty{}, c.backend.DeleteMachine(c.ctx, name)
}

func (c *call) describeStateMachine() (any, error) {
	text := c.in.String("stateMachineArn")
	data := c.in.String("includedData")
	q, err := c.qualified(text)
	if err != nil {
		return nil, err
	}
	m := q.Machine
	shown := struct{ arn, description *string }{arn: &m.ARN}
	switch {
	case q.alias != "":
		return nil, fault.New("", fault.MachineNotFound, text, "an alias is described by DescribeStateMachineAlias")
	case q.version != 0:
		if m, err = c.backend.MachineVersion(c.ctx, m.Name, q.version); err != nil {
			return nil, err
		}
		shown.arn, shown.description = new(versionARN(m.ARN, q.version)), q.FindVersion(q.version).Description
	}
	status, definition := "ACTIVE", string(m.Definition)
	if m.Deleting {
		status = "DELETING"
	}
	if data == metadataOnly {
		definition = "{}" // what AWS answers instead of leaving a required member out
	}
	return struct {
		ARN        string  `json:"stateMachineArn"`
		Name       string  `json:"name"`
		Status     string  `json:"status"`
		Definition string  `json:"definition"`
		RoleARN    string  `json:"roleArn"`
		Type       string  `json:"type"`
		Created    seconds `json:"creationDate"`
		shownSettings
		Revision    string              `json:"revisionId,omitempty"`
		Description *string             `json:"description,omitempty"`
		Variables   map[string][]string `json:"variableReferences,omitempty"`
	}{*shown.arn, m.Name, status, definition, m.RoleARN, typeName(m.Type), seconds(m.Created), settingsOf(m), m.Revision, shown.description,
		variableReferences(definition, m.Type)}, nil
}

// variableReferences returns the variables that the states of a definition read, by state; nil when there are none.
func variableReferences(definition string, t engine.MachineType) map[string][]string {
	if !strings.Contains(definition, "$") {
		return nil
	}
	m, _ := asl.Parse([]byte(definition), asl.Options{Express: t == engine.Express})
	if m == nil {
		return nil
	}
	return m.VariableReferences()
}

type machineItem struct {
	ARN     string  `json:"stateMachineArn"`
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Created seconds `json:"creationDate"`
}

func (c *call) listStateMachines() (any, error) {
	size, token := c.in.Int("maxResults"), c.in.String("nextToken")
	from, err := pageCursor(token, "ListStateMachines")
	if err != nil {
		return nil, err
	}
	machines, err := c.backend.Machines(c.ctx)
	if err != nil {
		return nil, err
	}
	machines = slices.Clone(machines)
	slices.SortFunc(machines, func(a, b *engine.Machine) int { return strings.Compare(a.Name, b.Name) })
	answer := struct {
		Machines []machineItem `json:"stateMachines"`
		Next     string        `json:"nextToken,omitempty"`
	}{Machines: []machineItem{}}
	for _, m := range machines {
		if m.Name < from {
			continue
		}
		if len(answer.Machines) == pageOf(size) {
			answer.Next = pageToken(m.Name, "ListStateMachines")
			break
		}
		answer.Machines = append(answer.Machines, machineItem{m.ARN, m.Name, typeName(m.Type), seconds(m.Created)})
	}
	return answer, nil
}

// pageOf returns the page size that maxResults means: 0 is AWS's default of 100.
func pageOf(maxResults int) int {
	if maxResults == 0 {
		return 100
	}
	return maxResults
}

func (c *call) validateStateMachineDefinition() (any, error) {
	definition := c.in.String("definition")
	kind := typeOf(c.in.String("type"))
	least := c.in.String("severity")
	size := c.in.Int("maxResults")
	answer := struct {
		Result      string       `json:"result"`
		Diagnostics []Diagnostic `json:"diagnostics"`
		Truncated   bool         `json:"truncated"`
	}{Result: "OK", Diagnostics: []Diagnostic{}}
	found := c.options.Check([]byte(definition), kind)
	if least == SeverityWarning && !slices.ContainsFunc(found, func(d Diagnostic) bool { return d.Severity == SeverityError }) {
		for _, a := range asl.Advise([]byte(definition)) {
			found = append(found, Diagnostic{Severity: SeverityWarning, Code: string(a.Code), Message: a.Message, Location: a.Location})
		}
	}
	for _, d := range found {
		if d.Severity == SeverityError {
			answer.Result = "FAIL"
		} else if least != SeverityWarning {
			continue
		}
		if len(answer.Diagnostics) == pageOf(size) {
			answer.Truncated = true
			continue
		}
		answer.Diagnostics = append(answer.Diagnostics, d)
	}
	return answer, nil
}
