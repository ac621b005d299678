package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/weftworks/weft/fault"
)

// The bounds of one connection. A header is larger than 64 KiB only by mistake; a body of the largest size comes
// in within a minute over a link of 2 Mbit/s.
const (
	headerBytes   = 64 << 10
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	idleTimeout   = 2 * time.Minute
)

// CheckListen returns an error when serving on this address would let strangers in: another address than
// loopback needs credentials.
func CheckListen(address net.Addr, credentials []Credential) error {
	if local(address) || len(credentials) > 0 {
		return nil
	}
	return fault.New("server.Serve", fault.Unauthorized, address.String(),
		"other machines can reach this address, so it needs a token: set one (`export WEFT_TOKEN=$(openssl rand -base64 24)`, or --token-file FILE), or listen on 127.0.0.1")
}

// Serve makes a Server and answers requests on l until ctx is done; then it stops accepting, gives the requests
// in flight Options.Grace to end, and closes l. It returns nil after such an orderly end. Synchronous runs that are
// waited for are answered with ServiceUnavailable at once; the runs themselves go on.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	if err := CheckListen(l.Addr(), o.Credentials); err != nil {
		return errors.Join(err, l.Close())
	}
	s, err := New(o)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer s.close()
	// Requests do not end with ctx: they have the grace.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	h := &http.Server{
		Handler:           s,
		MaxHeaderBytes:    headerBytes,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what strangers send is no error of ours
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(newLimitListener(l, s.options.Connections)) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.close()
	grace, cancel := context.WithTimeout(base, s.options.Grace)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		s.log.Warn("requests were cut off", "after", s.options.Grace)
		cut()
		err = h.Close()
		<-failed
		return err
	}
	<-failed
	return nil
}
