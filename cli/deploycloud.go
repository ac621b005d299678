package cli

import (
	"context"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/deploy"
)

func (a *app) deployCloud(ctx context.Context, path string, f *deployFlags) error {
	return fault.New("", fault.Unsupported, f.to, "not yet")
}

func (a *app) openCloud(ctx context.Context, f *deployFlags) (deploy.Target, error) {
	return nil, fault.New("", fault.Unsupported, f.to, "not yet")
}

func (a *app) cloudRuntime(ctx context.Context, s *deploy.State) (*unum.Runtime, func(), error) {
	return nil, nil, fault.New("", fault.Unsupported, s.Target, "not yet")
}
