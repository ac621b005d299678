package config

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/endpoint"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/awssdk"
	"github.com/weftworks/weft/engine/integration/sink"
	"github.com/weftworks/weft/engine/integration/web"
	"github.com/weftworks/weft/objectstore/s3api"
	"go.yaml.in/yaml/v3"
)

// AWS says where services of AWS are.
type AWS struct {
	Region    string
	Profile   string
	Endpoints map[string]string // by service, of awssdk.Services
}

// Integration is a service integration that a file declares: URL or Function is set.
type Integration struct {
	Name     string // "crm:createLead"
	Function string
	URL      string
	Headers  map[string]string
	Timeout  time.Duration
}

// Sinks are where messages and events go: URLs by topic and by event bus, as in sink.Config.
type Sinks struct{ SNS, Events map[string]string }

func (r *reader) aws(n *yaml.Node, to *AWS) {
	r.mapping(n, "aws", fields{
		"region":  func(v *yaml.Node) { r.text(v, &to.Region) },
		"profile": func(v *yaml.Node) { r.text(v, &to.Profile) },
		"endpoints": func(v *yaml.Node) {
			to.Endpoints = r.addresses(v, "endpoints")
			r.each(v, "endpoints", func(key, _ *yaml.Node) {
				if !slices.Contains(awssdk.Services, key.Value) {
					r.problem(key, "endpoints has no key %q; it knows %s", key.Value, strings.Join(awssdk.Services, ", "))
				}
			})
		},
	})
}

func (r *reader) sinks(n *yaml.Node, to *Sinks) {
	r.mapping(n, "sinks", fields{
		"sns":    func(v *yaml.Node) { to.SNS = r.addresses(v, "sns") },
		"events": func(v *yaml.Node) { to.Events = r.addresses(v, "events") },
	})
}

// addresses reads a mapping of names to URLs.
func (r *reader) addresses(n *yaml.Node, what string) map[string]string {
	all := map[string]string{}
	r.each(n, what, func(key, v *yaml.Node) { all[key.Value] = r.address(v) })
	return all
}

// address reads an http or https URL.
func (r *reader) address(n *yaml.Node) string {
	var text string
	if r.text(n, &text) && !isURL(text) {
		r.problem(n, "the url %q is not of the form http://host:port/path or https://…", text)
	}
	return text
}

// integrations reads the integrations of a file's own, in its order. Functions have been read.
func (r *reader) integrations(n *yaml.Node, c *Config) {
	r.each(n, "integrations", func(key, v *yaml.Node) {
		if !asl.IsIntegrationName(key.Value) || key.Value == "lambda:invoke" || asl.OwnAction(key.Value) {
			r.problem(key, "integration %q: a name is like crm:createLead, two words of letters, digits and '-' with a colon between them; lambda:invoke is taken", key.Value)
			return
		}
		i := Integration{Name: key.Value, Timeout: DefaultTimeout}
		ok := r.mapping(v, "integration "+key.Value, fields{
			"url":      func(v *yaml.Node) { i.URL = r.address(v) },
			"headers":  func(v *yaml.Node) { r.secrets(v, "headers", &i.Headers) },
			"function": func(v *yaml.Node) { r.text(v, &i.Function) },
			"timeout":  func(v *yaml.Node) { r.duration(v, &i.Timeout, time.Millisecond, 365*24*time.Hour) },
		})
		switch {
		case ok && (i.URL == "") == (i.Function == ""):
			r.problem(key, "integration %s: it is either a url that the arguments are posted to, or a function", key.Value)
		case ok && i.Function != "" && !slices.ContainsFunc(c.Functions, func(f Function) bool { return f.Name == i.Function }):
			r.problem(key, "integration %s: no function %q is declared here", key.Value, i.Function)
		case ok && i.Function != "" && i.Headers != nil:
			r.problem(key, "integration %s: headers mean nothing to a function; remove them", key.Value)
		default:
			c.Own = append(c.Own, i)
		}
	})
}

// connections reads the connections of HTTP Tasks.
func (r *reader) connections(n *yaml.Node, to *map[string]web.Connection) {
	*to = map[string]web.Connection{}
	r.each(n, "connections", func(key, v *yaml.Node) {
		c, ways := web.Connection{}, 0
		way := func(read func(*yaml.Node)) func(*yaml.Node) {
			return func(v *yaml.Node) { ways++; read(v) }
		}
		keys := fields{
			"basic": way(func(v *yaml.Node) {
				r.mapping(v, "basic", fields{"username": r.into(&c.Username), "password": r.into(&c.Password)})
			}),
			"apiKey": way(func(v *yaml.Node) {
				r.mapping(v, "apiKey", fields{"name": r.into(&c.APIKeyName), "value": r.into(&c.APIKeyValue)})
			}),
			"oauth": way(func(v *yaml.Node) { c.OAuth = r.oauth(v) }),
		}
		r.parameters(keys, &c.Parameters)
		if r.mapping(v, "connection "+key.Value, keys) && ways > 1 {
			r.problem(key, "connection %s: one of basic, apiKey and oauth is enough", key.Value)
		}
		(*to)[key.Value] = c
	})
}

func (r *reader) oauth(n *yaml.Node) *web.OAuth {
	o := &web.OAuth{}
	keys := fields{
		"url": func(v *yaml.Node) { o.URL = r.address(v) }, "clientId": r.into(&o.ClientID), "clientSecret": r.into(&o.ClientSecret),
		"method": func(v *yaml.Node) {
			if r.text(v, &o.Method) && !slices.Contains([]string{"GET", "POST", "PUT"}, o.Method) {
				r.problem(v, "method is GET, POST or PUT, not %q", o.Method)
			}
		},
	}
	r.parameters(keys, &o.Parameters)
	if r.mapping(n, "oauth", keys) && (o.URL == "" || o.ClientID == "" || o.ClientSecret == "") {
		r.problem(n, "oauth needs url, clientId and clientSecret")
	}
	return o
}

func (r *reader) parameters(keys fields, to *web.Parameters) {
	keys["headers"] = func(v *yaml.Node) { r.secrets(v, "headers", &to.Headers) }
	keys["query"] = func(v *yaml.Node) { r.secrets(v, "query", &to.Query) }
	keys["body"] = func(v *yaml.Node) { r.secrets(v, "body", &to.Body) }
}

// into returns what reads a secret into to.
func (r *reader) into(to *string) func(*yaml.Node) { return func(v *yaml.Node) { r.secret(v, to) } }

// secret reads a text that may be in the environment instead: {env: NAME}.
func (r *reader) secret(n *yaml.Node, to *string) {
	if n.Kind != yaml.MappingNode {
		r.text(n, to)
		return
	}
	r.mapping(n, "a secret", fields{"env": func(v *yaml.Node) {
		var name string
		if !r.text(v, &name) {
			return
		}
		if *to = os.Getenv(name); *to == "" {
			r.problem(v, "the environment has no variable %s", name)
		}
	}})
}

// secrets reads a mapping of secrets.
func (r *reader) secrets(n *yaml.Node, what string, to *map[string]string) {
	all := map[string]string{}
	r.each(n, what, func(key, v *yaml.Node) {
		var s string
		r.secret(v, &s)
		all[key.Value] = s
	})
	*to = all
}

// Services are what integrations need of a node.
type Services struct {
	Functions       function.Invoker // what integrations that are functions call
	Region, Account string           // of the node; "": the engine's defaults
	// Objects returns the node's objects, at each task that calls S3 while there is no server of it (OpenObjects). nil: no
	// task is going to run.
	Objects func() (s3api.Store, error)
}

// Integrations makes the service integrations that there are under this file. Nothing is connected yet. Close them.
func (c *Config) Integrations(s Services) (*integration.Set, error) {
	set := integration.NewSet()
	err := c.addIntegrations(set, s)
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

func (c *Config) addIntegrations(set *integration.Set, s Services) error {
	for i := range c.Own { // first, so that a file may replace one that is built in
		if err := c.own(set, &c.Own[i], s); err != nil {
			return err
		}
	}
	built := integration.NewSet()
	err := errors.Join(
		awssdk.Register(built, awssdk.Config{Region: c.AWS.Region, Profile: c.AWS.Profile, Endpoints: c.AWS.Endpoints, Objects: c.localS3(s.Objects)}),
		sink.Register(built, sink.Config{Topics: c.Sinks.SNS, Buses: c.Sinks.Events, Region: s.Region, Account: s.Account}),
		web.Register(built, web.Config{Connections: c.Connections, Region: s.Region}),
	)
	if err != nil {
		return err
	}
	return set.RegisterMissing(built)
}

func (c *Config) own(set *integration.Set, i *Integration, s Services) error {
	if i.Function != "" {
		return set.Register(i.Name, integration.Of(s.Functions, i.Function, 0))
	}
	e, err := endpoint.New(endpoint.Config{Name: i.Name, URL: i.URL, Headers: i.Headers, ResponseBytes: max(function.ResponseBytes, c.Limits.PayloadBytes+1)})
	if err != nil {
		return err
	}
	return set.Register(i.Name, &posting{integration.Of(e, i.Name, i.Timeout), e})
}

// posting is an integration that is an HTTP endpoint, which is closed with its Set.
type posting struct {
	integration.Integration
	io.Closer
}
