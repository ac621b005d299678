package gcp

import (
	"context"
	"net/url"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftworks/weft/fault"
)

// Overrides begins the names of variables that say where an API of Google's is, as gcloud has them:
// CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS=http://127.0.0.1:8123/.
const Overrides = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"

// endpoint is where an API is by the environment; nil where that says nothing.
func endpoint(env func(string) string, api string) (*url.URL, error) {
	text := env(Overrides + api)
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fault.New("gcp.Endpoint", fault.InvalidArgument, Overrides+api, "%q is no URL like https://host/ or http://127.0.0.1:8123/", text)
	}
	return u, nil
}

// Endpoint returns the options of a client of gRPC for where an API ("CLOUDTASKS") is by the environment; none where that
// says nothing. An endpoint whose scheme is http has neither TLS nor credentials.
func Endpoint(env func(string) string, api string) ([]option.ClientOption, error) {
	u, err := endpoint(env, api)
	switch {
	case u == nil:
		return nil, err
	case u.Scheme == "http":
		return []option.ClientOption{
			option.WithEndpoint(u.Host), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}, nil
	case u.Port() == "":
		u.Host += ":443"
	}
	return []option.ClientOption{option.WithEndpoint(u.Host)}, nil
}

// HTTPEndpoint is Endpoint for clients of HTTP.
func HTTPEndpoint(env func(string) string, api string) ([]option.ClientOption, error) {
	u, err := endpoint(env, api)
	switch {
	case u == nil:
		return nil, err
	case u.Scheme == "http":
		return []option.ClientOption{option.WithEndpoint(u.String()), option.WithoutAuthentication()}, nil
	}
	return []option.ClientOption{option.WithEndpoint(u.String())}, nil
}

// Dial returns a client of Cloud Tasks, wherever the environment says that is. It connects to nothing yet.
func Dial(ctx context.Context, env func(string) string) (*cloudtasks.Client, error) {
	options, err := Endpoint(env, "CLOUDTASKS")
	if err != nil {
		return nil, err
	}
	client, err := cloudtasks.NewClient(ctx, options...)
	if err != nil {
		return nil, fault.New("gcp.Dial", fault.Unauthorized, "Cloud Tasks", "Google's client finds no credentials; gcloud auth application-default login gives it some: %w", err)
	}
	return client, nil
}
