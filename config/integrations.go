package config

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/awssdk"
)

// AWS says where services of AWS are.
type AWS struct {
	Region    string
	Profile   string
	Endpoints map[string]string // by service, of awssdk.Services
}

func (r *reader) aws(n *yaml.Node, to *AWS) {
	r.mapping(n, "aws", fields{
		"region":  func(v *yaml.Node) { r.text(v, &to.Region) },
		"profile": func(v *yaml.Node) { r.text(v, &to.Profile) },
		"endpoints": func(v *yaml.Node) {
			to.Endpoints = map[string]string{}
			r.each(v, "endpoints", func(key, v *yaml.Node) {
				if !slices.Contains(awssdk.Services, key.Value) {
					r.problem(key, "endpoints has no key %q; it knows %s", key.Value, strings.Join(awssdk.Services, ", "))
					return
				}
				to.Endpoints[key.Value] = r.address(v)
			})
		},
	})
}

// address reads an http or https URL.
func (r *reader) address(n *yaml.Node) string {
	var text string
	if r.text(n, &text) && !isURL(text) {
		r.problem(n, "the url %q is not of the form http://host:port/path or https://…", text)
	}
	return text
}

// Integrations makes the service integrations that there are under this file. Nothing is connected yet. Close them.
func (c *Config) Integrations() (*integration.Set, error) {
	set := integration.NewSet()
	err := awssdk.Register(set, awssdk.Config{Region: c.AWS.Region, Profile: c.AWS.Profile, Endpoints: c.AWS.Endpoints})
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}
