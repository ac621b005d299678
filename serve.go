package weft

import (
	"context"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server"
)

// ListenAndServe is Serve on a TCP address, such as 127.0.0.1:8400, which is where the weft command looks for a server.
func (a *App) ListenAndServe(ctx context.Context, address string, tokens ...string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fault.New("weft.ListenAndServe", fault.Unavailable, address, "cannot listen: %w", err)
	}
	return a.Serve(ctx, l, tokens...)
}

// Serve lets other programs and the weft command see and control what the App runs, until ctx is done: workflows and
// entities over REST (docs/rest.md), state machines over the Step Functions API, /healthz and /metrics. Clients have to
// know one of the tokens; without any, the listener must be on loopback. Serve closes the listener and returns
// nil after an orderly end; the App stays open.
//
// To serve under another address or with other bounds, or beside handlers of your own, make a server.Server of
// a.Engine().
func (a *App) Serve(ctx context.Context, l net.Listener, tokens ...string) error {
	o := server.Options{Backend: a.node, Limits: a.options.Engine.Limits, Logger: a.options.Logger, Collectors: []prometheus.Collector{a.node.Collector()}}
	for _, token := range tokens {
		o.Credentials = append(o.Credentials, server.Credential{KeyID: "weft", Token: token})
	}
	return server.Serve(ctx, l, o)
}
