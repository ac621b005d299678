package config

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/command"
	"github.com/weftworks/weft/engine/function/endpoint"
	"github.com/weftworks/weft/engine/function/lambdaruntime"
)

// Options is what a node adds to the functions of a file. The zero value is fine.
type Options struct {
	// Log hears of processes. nil: slog.Default().
	Log *slog.Logger
	// Lines gets every line that functions write. It must not block, be safe for concurrent use, and must
	// not call the registry.
	Lines func(function.LogLine)
	// Progress hears when a Go function's build begins (done false) and when it has ended well.
	Progress func(name string, took time.Duration, done bool)
	// BuildDir is where binaries of Go functions go. "": in the user's cache directory.
	BuildDir string
	// ARNPrefix and a name make the ARN that functions see. "": lambdaruntime.DefaultARNPrefix.
	ARNPrefix string
}

// Registry makes a registry of the file's functions. Nothing is built or started yet. Close it.
func (c *Config) Registry(o Options) (*function.Registry, error) {
	r := function.NewRegistry()
	for i := range c.Functions {
		f := &c.Functions[i]
		if err := c.register(r, f, o); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

func (c *Config) register(r *function.Registry, f *Function, o Options) error {
	invoker, err := c.invoker(f, o)
	if err != nil {
		return err
	}
	return r.Register(f.Name, invoker, function.Settings{
		Timeout: f.Timeout, Concurrency: f.Concurrency, PerKey: f.PerKey, Rate: f.Rate, Burst: f.Burst,
		Tenants: f.Tenants, Queue: f.Queue, Idempotent: f.Idempotent, Runtime: string(f.Runtime),
	})
}

func (c *Config) invoker(f *Function, o Options) (function.Invoker, error) {
	env := make([]string, 0, len(f.Env))
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		env = append(env, k+"="+f.Env[k])
	}
	// An answer may pass the node's payload limit: the state then fails as on Step Functions.
	answer := max(function.ResponseBytes, c.Limits.PayloadBytes+1)
	switch f.Runtime {
	case HTTP:
		return endpoint.New(endpoint.Config{
			Name: f.Name, URL: f.URL, Headers: f.Headers, ResponseBytes: answer, Connections: f.Concurrency,
		})
	case Command:
		return command.New(command.Config{
			Name: f.Name, Argv: f.Command, Dir: f.Dir, Env: env, ResponseBytes: answer, Lines: o.Lines,
		})
	default:
		return lambdaruntime.New(lambdaruntime.Config{
			Name: f.Name, Launch: f.launcher(o), Processes: f.Concurrency, Idle: f.Idle, Init: f.Init, Env: env,
			Memory: f.Memory, ResponseBytes: answer, ARNPrefix: o.ARNPrefix, Log: o.Log, Lines: o.Lines,
		})
	}
}

func (f *Function) launcher(o Options) lambdaruntime.Launcher {
	switch f.Runtime {
	case Python:
		return lambdaruntime.Python(f.Dir, f.Handler)
	case Node:
		return lambdaruntime.Node(f.Dir, f.Handler)
	case Provided:
		return lambdaruntime.Binary(f.Binary, f.Dir)
	default:
		return &lambdaruntime.GoBuild{Source: f.Source, Dir: f.Dir, Name: f.Name, BuildDir: o.BuildDir, Progress: o.Progress}
	}
}
