package server

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
)

func (f *fake) CreateActivity(_ context.Context, c engine.CreateActivity) (*engine.Activity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.activities[c.Name]; a != nil {
		return a, nil
	}
	if len(f.activities) == 3 {
		return nil, fault.New("fake", fault.LimitExceeded, c.Name, "three activities are the most")
	}
	a := &engine.Activity{ARN: fakeARN + "activity:" + c.Name, Activity: statemachine.Activity{
		Name: c.Name, Created: fakeNow + int64(len(f.activities)), Tags: maps.Clone(c.Tags)}}
	f.activities[c.Name] = a
	return a, nil
}

func (f *fake) Activity(_ context.Context, name string) (*engine.Activity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.activities[name]; a != nil {
		return a, nil
	}
	return nil, fault.New("fake", fault.ActivityNotFound, name, "no such activity")
}

func (f *fake) DeleteActivity(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.activities, name)
	return nil
}

func (f *fake) ListActivities(context.Context) ([]*engine.Activity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.activities), func(a, b *engine.Activity) int { return cmp.Compare(a.Created, b.Created) }), nil
}

func (f *fake) TagActivity(ctx context.Context, name string, set map[string]string, remove []string) (*engine.Activity, error) {
	a, err := f.Activity(ctx, name)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := *a
	if c.Tags = maps.Clone(c.Tags); c.Tags == nil {
		c.Tags = map[string]string{}
	}
	maps.Copy(c.Tags, set)
	for _, k := range remove {
		delete(c.Tags, k)
	}
	f.activities[name] = &c
	return &c, nil
}

// TakeTask has one task for each worker that has a name; worker "crowd" is one too many.
func (f *fake) TakeTask(ctx context.Context, name, worker string, _ time.Duration) (*engine.Work, error) {
	if _, err := f.Activity(ctx, name); err != nil {
		return nil, err
	}
	switch worker {
	case "":
		return nil, nil
	case "crowd":
		return nil, fault.New("fake", fault.ActivityWorkers, name, "too many workers")
	}
	return &engine.Work{Token: "token-of-" + worker, Input: []byte(`{"a":1}`)}, nil
}
