package gcp_test

import (
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/gcp"
)

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ grpc, http int }{
		"": {0, 0}, "http://127.0.0.1:8123/": {3, 2}, "https://example.com/": {1, 1}, "https://example.com:444": {1, 1}, "127.0.0.1:8123": {-1, -1}, "ftp://x": {-1, -1},
	} {
		env := func(name string) string {
			if name != "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN" {
				t.Errorf("asked for %s", name)
			}
			return text
		}
		check := func(n, want int, err error) {
			if want < 0 && !fault.Is(err, fault.InvalidArgument) || want >= 0 && (err != nil || n != want) {
				t.Errorf("%q: %d options, %v; want %d", text, n, err, want)
			}
		}
		options, err := gcp.Endpoint(env, "RUN")
		check(len(options), c.grpc, err)
		options, err = gcp.HTTPEndpoint(env, "RUN")
		check(len(options), c.http, err)
	}
}
