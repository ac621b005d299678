package client

import (
	"context"
	"iter"
)

// Version is a version as ListStateMachineVersions shows it.
type Version struct {
	ARN     string `json:"stateMachineVersionArn"`
	Created Time   `json:"creationDate"`
}

// Alias is an alias as DescribeStateMachineAlias shows it; a list has its ARN and Created only.
type Alias struct {
	ARN         string  `json:"stateMachineAliasArn"`
	Name        string  `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
	Routes      []Route `json:"routingConfiguration,omitempty"`
	Created     Time    `json:"creationDate,omitempty"`
	Updated     Time    `json:"updateDate,omitempty"`
}

// Route is a version and its share of an alias's starts, in percent.
type Route struct {
	VersionARN string `json:"stateMachineVersionArn"`
	Weight     int    `json:"weight"`
}

// PublishVersion makes a machine's current revision a version. description nil: none; revision "": whatever is current.
func (c *Client) PublishVersion(ctx context.Context, machineARN, revision string, description *string) (*Version, error) {
	in := map[string]string{"stateMachineArn": machineARN}
	if revision != "" {
		in["revisionId"] = revision
	}
	if description != nil {
		in["description"] = *description
	}
	out := new(Version)
	return out, c.Call(ctx, "PublishStateMachineVersion", in, out)
}

// DeleteVersion deletes a version; one that is not there is no error.
func (c *Client) DeleteVersion(ctx context.Context, arn string) error {
	return c.Call(ctx, "DeleteStateMachineVersion", map[string]string{"stateMachineVersionArn": arn}, nil)
}

// Versions yields the versions of a machine, newest first.
func (c *Client) Versions(ctx context.Context, machineARN string, page int) iter.Seq2[*Version, error] {
	return pages(func(token string) ([]*Version, string, error) {
		var out struct {
			Versions []*Version `json:"stateMachineVersions"`
			Next     string     `json:"nextToken"`
		}
		err := c.Call(ctx, "ListStateMachineVersions", paging(map[string]any{"stateMachineArn": machineARN}, page, token), &out)
		return out.Versions, out.Next, err
	})
}

// CreateAlias creates the alias of that Name.
func (c *Client) CreateAlias(ctx context.Context, a Alias) error {
	return c.Call(ctx, "CreateStateMachineAlias", a, nil)
}

// UpdateAlias gives the alias of that ARN its Description and Routes, where they are not nil.
func (c *Client) UpdateAlias(ctx context.Context, a Alias) error {
	return c.Call(ctx, "UpdateStateMachineAlias", a, nil)
}

// DescribeAlias returns one alias.
func (c *Client) DescribeAlias(ctx context.Context, arn string) (*Alias, error) {
	out := new(Alias)
	return out, c.Call(ctx, "DescribeStateMachineAlias", map[string]string{"stateMachineAliasArn": arn}, out)
}

// DeleteAlias deletes an alias; one that is not there is no error.
func (c *Client) DeleteAlias(ctx context.Context, arn string) error {
	return c.Call(ctx, "DeleteStateMachineAlias", map[string]string{"stateMachineAliasArn": arn}, nil)
}

// Aliases yields the aliases of a machine, oldest first, each with its ARN and Created only.
func (c *Client) Aliases(ctx context.Context, machineARN string, page int) iter.Seq2[*Alias, error] {
	return pages(func(token string) ([]*Alias, string, error) {
		var out struct {
			Aliases []*Alias `json:"stateMachineAliases"`
			Next    string   `json:"nextToken"`
		}
		err := c.Call(ctx, "ListStateMachineAliases", paging(map[string]any{"stateMachineArn": machineARN}, page, token), &out)
		return out.Aliases, out.Next, err
	})
}
