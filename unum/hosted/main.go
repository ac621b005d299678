package hosted

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/wrapper"
)

// HTTPMode is the first argument of Main for the HTTP front.
const HTTPMode = "http"

// Main is the runtime as a program: between AWS Lambda and the language's runtime that args are the command of, or, if
// they begin with HTTPMode, before the HTTP server that the others are the command of. It returns the exit code when the
// platform wants it to end, or it cannot serve.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s, err := Read(os.Getenv)
	if err == nil {
		if len(args) > 0 && args[0] == HTTPMode {
			err = serveHTTP(ctx, s, args[1:])
		} else {
			err = serveLambda(ctx, s, args)
		}
	} else if api := os.Getenv("AWS_LAMBDA_RUNTIME_API"); api != "" {
		err = errors.Join(err, (&wrapper.Lambda{API: api}).InitError(ctx, err))
	}
	if err != nil {
		complain(err)
		return 1
	}
	return 0
}

// serveLambda is the front of AWS Lambda.
func serveLambda(ctx context.Context, s *Settings, args []string) error {
	if s.RuntimeAPI == "" {
		return fault.New("hosted", fault.InvalidArgument, "environment", "AWS_LAMBDA_RUNTIME_API is missing: this is the runtime of a function on AWS Lambda; %q as the first argument is for HTTP", HTTPMode)
	}
	l := &wrapper.Lambda{API: s.RuntimeAPI}
	if len(args) > 0 && s.Code.None() {
		s.Code.Process = args
	}
	code, err := s.Code.Open(ctx, s.Function, s.Root, s.RuntimeAPI)
	if err != nil {
		return errors.Join(err, l.InitError(ctx, err))
	}
	defer closeCode(code)
	if p, ok := code.(*wrapper.Process); ok {
		go p.Start(ctx) // while the rest is opened
	}
	f, err := Open(ctx, s)
	if err != nil {
		return errors.Join(err, l.InitError(ctx, err))
	}
	defer f.Close()
	l.Config = f.config()
	l.Code = code
	return l.Serve(ctx)
}

func closeCode(code function.Invoker) {
	if c, ok := code.(io.Closer); ok {
		_ = c.Close()
	}
}

// shutdownTime is what deliveries that are under way get when the platform wants the process to end.
const shutdownTime = 5 * time.Second

// serveHTTP is the front of platforms that deliver by HTTP.
func serveHTTP(ctx context.Context, s *Settings, args []string) error {
	if len(args) > 0 && s.Code.None() {
		s.Code.Serve = args
	}
	code, err := s.Code.Open(ctx, s.Function, s.Root, "")
	if err != nil {
		return err
	}
	defer closeCode(code)
	f, err := Open(ctx, s)
	if err != nil {
		return err
	}
	defer f.Close()
	front := &wrapper.HTTP{Config: f.config(), Timeout: s.Timeout, Requests: f.requests}
	front.Code = code
	listener, err := net.Listen("tcp", ":"+strconv.Itoa(s.Port))
	if err != nil {
		return fault.New("hosted", fault.Unavailable, "PORT", "%w", err)
	}
	server := &http.Server{Handler: front, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return server.Shutdown(end)
}

// Start serves a Go function's handler, with the runtime in its process, and does not return: it takes the place of
// lambda.Start. handler is what that takes.
func Start(handler any) {
	ctx := context.Background()
	s, err := Read(os.Getenv)
	var f *Function
	if err == nil {
		f, err = Open(ctx, s)
	}
	if err != nil {
		complain(errors.Join(err, (&wrapper.Lambda{API: os.Getenv("AWS_LAMBDA_RUNTIME_API")}).InitError(ctx, err)))
		os.Exit(1)
	}
	awslambda.Start(wrapper.Linked(f.config(), handler))
}
