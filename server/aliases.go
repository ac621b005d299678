package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/arn"
)

type route struct {
	VersionARN string `json:"stateMachineVersionArn"`
	Weight     int    `json:"weight"`
}

// readRoutes reads a routing configuration: the machine and its routes, nil when there is none.
func (c *call) readRoutes() (machineName string, routes []engine.Route, err error) {
	var given []route
	for _, in := range c.in.Objects("routingConfiguration") {
		given = append(given, route{in.String("stateMachineVersionArn"), in.Int("weight")})
	}
	if given == nil {
		return "", nil, nil
	}
	arns, weights := make([]string, len(given)), make([]string, len(given))
	sum := 0
	for i, r := range given {
		arns[i], weights[i] = r.VersionARN, strconv.Itoa(r.Weight)
		sum += r.Weight
	}
	received := fmt.Sprintf("Received: [%s]", strings.Join(arns, ", "))
	for _, r := range given {
		a, err := arn.Parse(r.VersionARN)
		if err != nil || a.Kind != arn.Machine || versionNumber(a.Qualifier) == 0 {
			return "", nil, invalid("Routing configuration must contain state machine version ARNs. %s", received)
		}
		if machineName != "" && a.Machine != machineName {
			return "", nil, invalid("Routing configuration must contain versions of one state machine. %s", received)
		}
		machineName = a.Machine
		routes = append(routes, engine.Route{Version: versionNumber(a.Qualifier), Weight: r.Weight})
	}
	if len(routes) == 2 && routes[0].Version == routes[1].Version {
		return "", nil, invalid("Routing configuration must contain distinct state machine version ARNs. %s", received)
	}
	if sum != 100 {
		return "", nil, invalid("Sum of routing configuration weights must equal 100. Received: [%s]", strings.Join(weights, ", "))
	}
	return machineName, routes, nil
}

func (c *call) createStateMachineAlias() (any, error) {
	name := c.in.String("name")
	description := c.in.Optional("description")
	machineName, routes, err := c.readRoutes()
	if err != nil {
		return nil, err
	}
	a, err := c.backend.CreateAlias(c.ctx, engine.SetAlias{Machine: machineName, Name: name, Description: description, Routes: routes})
	if err != nil {
		return nil, aliasError(err)
	}
	m, err := c.backend.Machine(c.ctx, machineName)
	if err != nil {
		return nil, aliasError(err)
	}
	return aliasItem{aliasARN(m.ARN, a.Name), seconds(a.Created)}, nil
}

// aliasError says of a machine that does not exist what AWS says of all that operations on aliases refer to.
func aliasError(err error) error {
	if fault.Is(err, fault.MachineNotFound) {
		return noReference()
	}
	return err
}

func noReference() error {
	return fault.New("", fault.ResourceNotFound, "", "Request references a resource that does not exist.")
}

type aliasItem struct {
	ARN     string  `json:"stateMachineAliasArn"`
	Created seconds `json:"creationDate"`
}

// readAlias reads the ARN of an alias.
func (c *call) readAlias() (arn.ARN, error) {
	text := c.in.String("stateMachineAliasArn")
	a, err := c.subresource(text)
	if err == nil && (a.Qualifier == "" || versionNumber(a.Qualifier) != 0) {
		err = fault.New("", fault.InvalidArn, text, "Resource type not valid in this context: %s is not the ARN of an alias", text)
	}
	return a, err
}

func (c *call) updateStateMachineAlias() (any, error) {
	description := c.in.Optional("description")
	machineName, routes, err := c.readRoutes()
	a, arnErr := c.readAlias()
	if err := firstError(arnErr, err); err != nil {
		return nil, err
	}
	if description == nil && routes == nil {
		return nil, invalid("Either the description or the routing configuration must be specified")
	}
	if routes != nil && machineName != a.Machine {
		return nil, invalid("Routing configuration must contain versions of the alias's state machine, %s", a.Machine)
	}
	alias, err := c.backend.UpdateAlias(c.ctx, engine.SetAlias{Machine: a.Machine, Name: a.Qualifier, Description: description, Routes: routes})
	if err != nil {
		return nil, aliasError(err)
	}
	return struct {
		Updated seconds `json:"updateDate"`
	}{seconds(alias.Updated)}, nil
}

func (c *call) deleteStateMachineAlias() (any, error) {
	a, err := c.readAlias()
	if err != nil {
		return nil, err
	}
	return empty{}, aliasError(c.backend.DeleteAlias(c.ctx, a.Machine, a.Qualifier))
}

func (c *call) describeStateMachineAlias() (any, error) {
	a, err := c.readAlias()
	if err != nil {
		return nil, err
	}
	m, err := c.backend.Machine(c.ctx, a.Machine)
	if err != nil {
		return nil, aliasError(err)
	}
	alias := m.FindAlias(a.Qualifier)
	if alias == nil {
		return nil, noReference()
	}
	routes := make([]route, len(alias.Routes))
	for i, r := range alias.Routes {
		routes[i] = route{versionARN(m.ARN, r.Version), r.Weight}
	}
	return struct {
		ARN         string  `json:"stateMachineAliasArn"`
		Name        string  `json:"name"`
		Description *string `json:"description,omitempty"`
		Routes      []route `json:"routingConfiguration"`
		Created     seconds `json:"creationDate"`
		Updated     seconds `json:"updateDate"`
	}{aliasARN(m.ARN, alias.Name), alias.Name, alias.Description, routes, seconds(alias.Created), seconds(alias.Updated)}, nil
}

func (c *call) listStateMachineAliases() (any, error) {
	text := c.in.String("stateMachineArn")
	size, token := c.in.Int("maxResults"), c.in.String("nextToken")
	m, err := c.qualified(text)
	if err != nil {
		return nil, err
	}
	if m.alias != "" {
		return nil, fault.New("", fault.MachineNotFound, text, "an alias has no aliases")
	}
	query := []string{"ListStateMachineAliases", text}
	from, err := pageCursor(token, query...)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Aliases []aliasItem `json:"stateMachineAliases"`
		Next    string      `json:"nextToken,omitempty"`
	}{Aliases: []aliasItem{}}
	aliases := slices.Clone(m.Aliases)
	slices.SortFunc(aliases, func(a, b engine.Alias) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range aliases {
		if a.Name < from || m.version != 0 && !leadsTo(&a, m.version) {
			continue
		}
		if len(answer.Aliases) == pageOf(size) {
			answer.Next = pageToken(a.Name, query...)
			break
		}
		answer.Aliases = append(answer.Aliases, aliasItem{aliasARN(m.ARN, a.Name), seconds(a.Created)})
	}
	return answer, nil
}

func leadsTo(a *engine.Alias, version int) bool {
	return slices.ContainsFunc(a.Routes, func(r engine.Route) bool { return r.Version == version })
}
