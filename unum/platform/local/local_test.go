package local_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/platform/platformtest"
)

// fixture is a faas whose minutes are a few milliseconds, and the platform that connect makes for it.
func fixture(connect func(t *testing.T, s *faas.Service) unum.Platform) func(t *testing.T) *platformtest.Fixture {
	return func(t *testing.T) *platformtest.Fixture {
		s := faas.New(faas.Config{Scale: 0.0001, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		t.Cleanup(func() { _ = s.Close(context.Background()) })
		settings := faas.Settings{}
		register := func(t *testing.T, name string, handle func(context.Context, []byte) error) {
			if err := s.Register(name, local.Function(handle), settings); err != nil {
				t.Fatal(err)
			}
		}
		return &platformtest.Fixture{
			Platform: connect(t, s),
			Deploy:   register,
			Failures: func(t *testing.T, handle func(context.Context, []byte) error) {
				register(t, "failures", handle)
				settings.OnFailure = "failures"
			},
			Delay: 30 * time.Millisecond,
		}
	}
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, fixture(func(_ *testing.T, s *faas.Service) unum.Platform { return local.New(s) }))
}

func TestThroughEndpoint(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, fixture(func(t *testing.T, s *faas.Service) unum.Platform {
		api, err := lambdaapi.New(lambdaapi.Config{Service: s})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(api)
		t.Cleanup(server.Close)
		p, err := local.Dial(server.URL, server.Client())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}))
}
