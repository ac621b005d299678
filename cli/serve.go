package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/mock"
	"github.com/weftworks/weft/server"
)

// defaultListen is the address of a server unless told otherwise; defaultServer is its URL.
const defaultListen = "127.0.0.1:8400"

// defaultRegion is the region of a node's ARNs.
const defaultRegion = "us-east-1"

// serveFlags are the flags that `weft serve` and `weft dev` share.
type serveFlags struct {
	data, listen, config, retain, tokenFile, speculation, logFormat, logLevel, mocks string
	awsLimits                                                                        bool
}

func (f *serveFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.listen, "listen", defaultListen, "`ADDRESS` to listen on; another than loopback needs a token; port 0 picks a free one")
	fl.StringVar(&f.config, "config", "", "`FILE` that declares the functions (default weft.yaml, if there is one)")
	fl.StringVar(&f.mocks, "mocks", "", "mock `FILE` (Step Functions Local's format): runs started as STATE-MACHINE-ARN#CASE are answered by it")
	fl.StringVar(&f.retain, "retain", "", "`DURATION` for which ended runs are kept: 7d, or by status: succeeded=1d,failed=forever (default what the file that declares functions says, else 90d)")
	fl.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the token that clients have to know (default $WEFT_TOKEN, else no token)")
	speculationFlag(fl.StringVar, &f.speculation)
	fl.StringVar(&f.logFormat, "log-format", "text", "`FORMAT` of the log on stderr: text or json")
	fl.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` to log: debug, info, warn or error")
	fl.BoolVar(&f.awsLimits, "aws-limits", false, "have the limits that AWS has: 256 KiB payloads, 1 MiB definitions, 25,000 events and one year a run")
}

const serveHelp = `Serve the AWS Step Functions API over the state machines and runs in a data directory, until SIGINT or
SIGTERM. Everything acknowledged survives a crash: the same command goes on where the last one stopped.

Only this machine can connect unless --listen names another address, which needs a token: WEFT_TOKEN or
--token-file. AWS clients give it as their secret access key with access key id "weft" (weft env prints
that), others as "Authorization: Bearer TOKEN".

Functions are made ready (Go: built) once the server listens; a call that comes earlier waits for it.

GET /healthz answers 200 while the node takes work; GET /metrics is for Prometheus.`

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve --data DIR",
		Short: "Serve the Step Functions API from a data directory",
		Long:  serveHelp,
		Example: `  weft serve --data /var/lib/weft --config weft.yaml
  weft serve --data ./data --retain succeeded=1d,failed=30d --log-format json
  WEFT_TOKEN=$(cat token) weft serve --data ./data --listen 0.0.0.0:8400`,
		Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.data == "" {
				return usage("--data is missing: name the directory that holds, or will hold, machines and runs")
			}
			s, err := a.prepareServer(f)
			if err != nil {
				return err
			}
			return s.serve(cmd.Context(), nil)
		},
	}
	cmd.Flags().StringVar(&f.data, "data", "", "data `DIR`; made if absent")
	f.add(cmd)
	return cmd
}

// service is a server on its way.
type service struct {
	a       *app
	flags   serveFlags
	log     *slog.Logger
	options engine.Options
	creds   []server.Credential
	mocks   *mock.File // nil: none
	node    *engine.Node
	fns     *functions
	url     string
	lines   func(function.LogLine)
}

// mocked are the integrations of a server with mocks: machines may name whatever Step Functions has, as long as a mock
// answers for it.
type mocked struct{ engine.Integrations }

// Supports implements asl.Integrations.
func (m mocked) Supports(name, pattern string) bool {
	return m.Integrations.Supports(name, pattern) || asl.AWSIntegrations.Supports(name, pattern)
}

// prepareServer checks all flags.
func (a *app) prepareServer(f serveFlags) (*service, error) {
	s := &service{a: a, flags: f}
	var err error
	if s.log, err = a.serverLogger(f.logFormat, f.logLevel); err != nil {
		return nil, err
	}
	s.lines = func(l function.LogLine) {
		s.log.Debug("function wrote", "function", l.Function, "request", l.ID, "line", l.Text)
	}
	s.options = engine.Options{Dir: f.data, Logger: s.log, Limits: limits.Default}
	if f.awsLimits {
		s.options.Limits = limits.AWS
	}
	if s.options.Speculation, err = parseSpeculation(f.speculation); err != nil {
		return nil, err
	}
	if err = checkData(f.data); err != nil {
		return nil, err
	}
	if s.options.Retain, err = parseRetain(f.retain); err != nil {
		return nil, err
	}
	if f.mocks != "" {
		if s.mocks, err = readMocks(f.mocks); err != nil {
			return nil, err
		}
	}
	token, err := a.token(f.tokenFile)
	if err != nil {
		return nil, err
	}
	if token != "" {
		s.creds = []server.Credential{{KeyID: keyID, Token: token}}
	}
	if f.config == "" {
		if info, err := os.Stat(project.ConfigName); err == nil && !info.IsDir() {
			s.flags.config = project.ConfigName
		}
	}
	return s, nil
}

// serve opens everything, tells ready what is served, and returns after SIGINT, SIGTERM or a failure.
// background, if not nil, runs until its context is done.
func (s *service) serve(ctx context.Context, background func(ctx context.Context) error) error {
	signals, release := s.a.Interrupts()
	defer release()
	l, err := listen(s.flags.listen)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := server.CheckListen(l.Addr(), s.creds); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	s.url = "http://" + reachable(l.Addr())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if background != nil {
		if err := background(ctx); err != nil {
			return errors.Join(err, s.close())
		}
	}
	done := make(chan struct{})
	defer close(done)
	go s.stopOn(signals, done, cancel)
	s.a.note("listening on %s", s.url)
	prepared := make(chan struct{})
	go func() {
		defer close(prepared)
		s.prepareFunctions(ctx)
	}()
	err = server.Serve(ctx, l, server.Options{Backend: s.node, Credentials: s.creds, Limits: s.options.Limits, Mocks: s.mocks, Logger: s.log,
		Collectors: []prometheus.Collector{s.node.Collector()}})
	cancel(nil)
	<-prepared
	if closed := s.close(); err == nil {
		err = closed
	}
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}

// prepareFunctions builds Go functions while nobody has called them yet. What cannot be built is tried again, and fails,
// when it is called.
func (s *service) prepareFunctions(ctx context.Context) {
	err := s.fns.Prepare(ctx)
	if ctx.Err() != nil {
		return
	}
	for _, e := range joined(err) {
		s.log.Warn("a function cannot be made ready; calls of it fail", "function", subject(e), "error", plainWords(e))
	}
}

// stopOn asks the server to stop at the first signal and ends the process at the second.
func (s *service) stopOn(signals <-chan os.Signal, done <-chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case sig := <-signals:
		s.log.Info("stopping", "signal", sig.String())
		cancel(errInterrupted)
	case <-done:
		return
	}
	select {
	case <-signals:
		s.a.note("stopped at once; everything acknowledged is kept")
		os.Exit(ExitInterrupted)
	case <-done:
	}
}

// open builds the functions and opens the node.
func (s *service) open() error {
	var err error
	o := functionOptions{log: s.log, say: func(text string) { s.log.Info(text) }, line: s.lines}
	if s.fns, err = openFunctions(s.flags.config, o); err != nil {
		return err
	}
	s.options.Functions, s.options.Integrations = s.fns, s.fns.integrations
	if s.mocks != nil {
		s.options.Integrations = mocked{s.fns.integrations}
	}
	if !s.flags.awsLimits {
		s.options.Limits = s.fns.config.Limits
	}
	s.options.ExecutionLogs = s.fns.config.ExecutionLogs
	if s.options.Objects, err = s.fns.openObjects(s.flags.data); err != nil {
		return errors.Join(err, s.fns.Close())
	}
	s.options.Retain = retained(s.fns.config.Retain, s.options.Retain)
	if s.node, err = engine.Open(s.options); err != nil {
		s.fns.Close()
		return err
	}
	return nil
}

// retained is what the file says, the flag's word counting more.
func retained(file, flag map[machine.Status]time.Duration) map[machine.Status]time.Duration {
	all := map[machine.Status]time.Duration{}
	maps.Copy(all, file)
	maps.Copy(all, flag)
	return all
}

func (s *service) close() error { return errors.Join(s.node.Close(), s.fns.Close()) }

// listen takes the address; one in use is fault.Unavailable.
func listen(address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usage("--listen %q is no address; write HOST:PORT, for example %s", address, defaultListen)
	}
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fault.New("", fault.Unavailable, address, "the address is in use: another server, perhaps another weft, listens there; stop it or choose another --listen")
	case errors.Is(err, syscall.EACCES):
		return nil, fault.New("", fault.Unavailable, address, "not allowed to listen here; ports below 1024 need privileges, choose another --listen")
	}
	return nil, fault.New("", fault.Unavailable, address, "cannot listen: %w", err)
}

// reachable is the address a client on this machine connects to.
func reachable(addr net.Addr) string {
	t, ok := addr.(*net.TCPAddr)
	if ok && t.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(t.Port))
	}
	return addr.String()
}

// token reads the token that clients have to know; "" when there is none.
func (a *app) token(file string) (string, error) {
	if file == "" {
		return strings.TrimSpace(a.Env("WEFT_TOKEN")), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", fault.New("", fault.ResourceNotFound, file, "cannot read the token: %w", errors.Unwrap(err))
	}
	defer f.Close()
	text, err := readBounded(f, file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fault.New("", fault.InvalidArgument, file, "the token file is empty; make one with: openssl rand -base64 24 > %s", filepath.Base(file))
	}
	return token, nil
}

// parseRetain reads --retain: one duration for every status, or STATUS=DURATION separated by commas.
func parseRetain(text string) (map[machine.Status]time.Duration, error) {
	if text == "" {
		return nil, nil
	}
	out := map[machine.Status]time.Duration{}
	if !strings.Contains(text, "=") {
		d, err := config.ParseRetention(text)
		for _, s := range []machine.Status{machine.Succeeded, machine.Failed, machine.TimedOut, machine.Aborted} {
			out[s] = d
		}
		return out, retainUsage(err)
	}
	for _, part := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		status := statusByName[strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
		if !ok || status == 0 || status == machine.Running {
			return nil, usage("--retain %q: write STATUS=DURATION with one of succeeded, failed, timed_out, aborted", part)
		}
		d, err := config.ParseRetention(value)
		if err != nil {
			return nil, retainUsage(err)
		}
		out[status] = d
	}
	return out, nil
}

func retainUsage(err error) error {
	if err == nil {
		return nil
	}
	return usage("--retain: %v", err)
}

// serverLogger makes the log of a server on stderr.
func (a *app) serverLogger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level %q is not known; use debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(a.Err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(a.Err, o)), nil
	}
	return nil, usage("--log-format %q is not known; use text or json", format)
}

// logger is the log of an embedded node: warnings only, as prose.
func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(groups []string, at slog.Attr) slog.Attr {
		if len(groups) == 0 && at.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return at
	}}))
}

// speak prints lines of prose as a block.
func (a *app) speak(lines ...string) { fmt.Fprintln(a.Err, strings.Join(lines, "\n")) }
