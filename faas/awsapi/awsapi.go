// Package awsapi is endpoints of several AWS services at one address: a request goes to the service that it was signed
// for. It is what AWS_ENDPOINT_URL names, or --endpoint-url of the CLI, where there is no AWS.
//
//	cloud, err := awsapi.New(awsapi.Config{Dir: dir})
//	defer cloud.Close(ctx)
//	cloud.Handle("dynamodb", tables) // Lambda, SQS, IAM and STS are there
//	err = http.Serve(listener, cloud)
//
// Signatures are read and not checked: serve it on a loopback address.
package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/iamapi"
	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/faas/sqsapi"
)

// Config is what a Cloud is made from.
type Config struct {
	// Functions is what runs functions. Deliver is set: records of events can go to queues.
	Functions faas.Config
	// Dir, Env, Processes and Lines are those of lambdaapi.Config.
	Dir       string
	Env       []string
	Processes int
	Lines     func(function.LogLine)
}

// Cloud is the services. They are its fields for those who are in the same process.
type Cloud struct {
	Functions *faas.Service
	Lambda    *lambdaapi.Server
	Queues    *sqsapi.Server
	Roles     *iamapi.Server

	services map[string]http.Handler // by the name that requests are signed for
}

// New returns a Cloud without functions, queues and roles. A function's role has to exist.
func New(cfg Config) (*Cloud, error) {
	c := &Cloud{
		Queues: sqsapi.New(sqsapi.Config{Region: cfg.Functions.Region, Account: cfg.Functions.Account}),
		Roles:  iamapi.New(iamapi.Config{Account: cfg.Functions.Account}),
	}
	cfg.Functions.Deliver = c.deliver
	c.Functions = faas.New(cfg.Functions)
	var err error
	c.Lambda, err = lambdaapi.New(lambdaapi.Config{
		Service: c.Functions, Dir: cfg.Dir, Env: cfg.Env, Processes: cfg.Processes, Lines: cfg.Lines, Queues: c.Queues, Role: c.Roles.Has,
	})
	if err != nil {
		return nil, err
	}
	c.services = map[string]http.Handler{"lambda": c.Lambda, "sqs": c.Queues, "iam": c.Roles, "sts": c.Roles}
	return c, nil
}

// Handle has requests that are signed for a service answered by h. It is called before the first request.
func (c *Cloud) Handle(service string, h http.Handler) { c.services[service] = h }

// deliver puts the record of an event in a queue.
func (c *Cloud) deliver(_ context.Context, destination string, record []byte) error {
	if !strings.HasPrefix(destination, "arn:aws:sqs:") {
		return fmt.Errorf("records can go to functions and queues, not to %s", destination)
	}
	return c.Queues.Send(destination, string(record))
}

// Close stops everything: executions under way have until ctx ends.
func (c *Cloud) Close(ctx context.Context) error {
	return errors.Join(c.Lambda.Close(), c.Functions.Close(ctx))
}

// ServeHTTP implements http.Handler. Requests without a signature are Lambda's.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	service := signedFor(r.Header.Get("Authorization"))
	h := c.services[service]
	if h == nil {
		http.Error(w, fmt.Sprintf("this endpoint has no service %q", service), http.StatusNotImplemented)
		return
	}
	h.ServeHTTP(w, r)
}

// signedFor returns the service in the scope of a signature: Credential=KEY/DATE/REGION/SERVICE/aws4_request.
func signedFor(authorization string) string {
	_, credential, found := strings.Cut(authorization, "Credential=")
	if !found {
		return "lambda"
	}
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/")
	if len(parts) < 5 {
		return ""
	}
	return parts[len(parts)-2]
}
