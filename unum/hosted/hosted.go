package hosted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/platform/destination"
	"github.com/weftworks/weft/unum/platform/lambda"
	"github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/store/dynamodb"
	"github.com/weftworks/weft/unum/store/remote"
	"github.com/weftworks/weft/unum/wrapper"
)

// Function is a deployed function, ready to take deliveries.
type Function struct {
	Settings *Settings
	App      *ir.App
	Runtime  *unum.Runtime
	open     opener
	requests requests // nil: the platform has no way of its own to deliver by HTTP
	closers  []io.Closer
}

// opener is wrapper.Config.Open.
type opener = func(ctx context.Context, delivery []byte, handle func(context.Context, []byte) error) ([]byte, bool, error)

// requests is wrapper.HTTP.Requests.
type requests = func(handle func(ctx context.Context, payload []byte) error) http.Handler

// Open reads the application and opens the datastore and the platform. It connects to nothing yet. Close what it returns.
func Open(ctx context.Context, s *Settings) (*Function, error) {
	app, err := ReadApp(s.App)
	if err != nil {
		return nil, err
	}
	f := &Function{Settings: s, App: app, Runtime: &unum.Runtime{Keep: s.Keep, Redeliveries: s.Redeliveries}, open: unwrap}
	if f.Runtime.Program, err = program.New(app); err != nil {
		return nil, err
	}
	if err := errors.Join(f.openStore(ctx), f.openPlatform(ctx)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close closes the clients of the datastore and the platform.
func (f *Function) Close() error {
	var all []error
	for _, c := range f.closers {
		all = append(all, c.Close())
	}
	return errors.Join(all...)
}

// appFileMax bounds the files of an application, and each of them.
const (
	appFilesMax = 10_001
	appFileMax  = 16 << 20
)

// ReadApp reads an application from its directory: fault.ResourceNotFound if there is none, fault.InvalidDefinition if it
// is wrong.
func ReadApp(dir string) (*ir.App, error) {
	const op = "hosted.ReadApp"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.New(op, fault.ResourceNotFound, dir, "the application's instructions are not there: %w", err)
	}
	if len(entries) > appFilesMax {
		return nil, fault.New(op, fault.LimitExceeded, dir, "there are %d files, and an application has at most %d", len(entries), appFilesMax)
	}
	var files []ir.File
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() > appFileMax {
			return nil, fault.New(op, fault.LimitExceeded, e.Name(), "the file has %d bytes, at most %d are read", info.Size(), appFileMax)
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fault.New(op, fault.ResourceNotFound, e.Name(), "%w", err)
		}
		files = append(files, ir.File{Name: e.Name(), Text: text})
	}
	app, err := ir.Parse(files)
	if err != nil {
		return nil, fault.New(op, fault.InvalidDefinition, dir, "%w", err)
	}
	return app, nil
}

// openStore opens the datastore.
func (f *Function) openStore(ctx context.Context) error {
	s := f.Settings
	switch {
	case s.Table != "":
		cfg, err := awsConfig(ctx)
		if err != nil {
			return err
		}
		f.Runtime.Store = dynamodb.New(dynamodb.Config{Client: awsdynamodb.NewFromConfig(cfg), Table: s.Table})
	case s.Collection != "":
		return f.openFirestore(ctx)
	default:
		client, err := remote.Open(s.Store, s.Token)
		if err != nil {
			return err
		}
		f.Runtime.Store = client
	}
	return nil
}

// openPlatform opens the platform.
func (f *Function) openPlatform(ctx context.Context) error {
	s := f.Settings
	switch {
	case s.Queue != "":
		cfg, err := awsConfig(ctx)
		if err != nil {
			return err
		}
		p := lambda.New(cfg, lambda.Options{Queue: s.Queue})
		f.Runtime.Platform = prefixed{p, s.Prefix}
		if f.App.Function(s.Function) == nil { // it carries, and is none of the application
			f.open = carrier(p)
		}
	case s.Tasks != "":
		return f.openTasks(ctx)
	default:
		p, err := local.Dial(s.Platform, nil)
		if err != nil {
			return err
		}
		f.Runtime.Platform = prefixed{p, s.Prefix}
	}
	return nil
}

func awsConfig(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return cfg, fault.New("hosted.Open", fault.InvalidArgument, "AWS", "the SDK's configuration: %w", err)
	}
	return cfg, nil
}

// Prefixed returns a platform that has prefix before the names that functions have in the application.
func Prefixed(p unum.Platform, prefix string) unum.Platform { return prefixed{p, prefix} }

// prefixed is a platform that calls functions by their names in a deployment.
type prefixed struct {
	unum.Platform
	prefix string
}

// Invoke implements unum.Platform.
func (p prefixed) Invoke(ctx context.Context, function string, payload []byte, notBefore time.Time) error {
	return p.Platform.Invoke(ctx, p.prefix+function, payload, notBefore)
}

// unwrap takes the record of a request that the platform has given up.
func unwrap(ctx context.Context, delivery []byte, handle func(context.Context, []byte) error) ([]byte, bool, error) {
	request, err := destination.Unwrap(delivery)
	if err != nil {
		return nil, true, err
	}
	if bytes.Equal(request, delivery) { // it is no record
		return nil, false, nil
	}
	return []byte("null"), true, handle(ctx, request)
}

// carrier takes whatever there is on AWS: messages of the queue, and records.
func carrier(p *lambda.Platform) opener {
	return func(ctx context.Context, delivery []byte, handle func(context.Context, []byte) error) ([]byte, bool, error) {
		answer, err := p.Handler(handle)(ctx, delivery)
		if err != nil {
			return nil, true, err
		}
		text, err := json.Marshal(answer)
		return text, true, err
	}
}

// config returns what a front does with deliveries, but for the code.
func (f *Function) config() wrapper.Config {
	s := f.Settings
	c := wrapper.Config{Name: s.Function, Runtime: f.Runtime, Entry: s.Entry, RunTimeout: s.RunTimeout, Open: f.open}
	if is := f.App.Function(s.Function); is != nil && is.Start {
		c.Entry = true
	}
	if limited, ok := f.Runtime.Program.(interface{ TimeoutSeconds() int64 }); ok && c.RunTimeout == 0 {
		c.RunTimeout = time.Duration(limited.TimeoutSeconds()) * time.Second
	}
	if c.RunTimeout == 0 {
		c.RunTimeout = time.Duration(f.App.TimeoutSeconds) * time.Second
	}
	return c
}

// complain says on standard error, which platforms log, why a function cannot serve.
func complain(err error) {
	fmt.Fprintf(os.Stderr, "weft-function: %v\n", err)
}
