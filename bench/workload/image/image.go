// Package image has the ImageRecognition workload: metadata, check, then a thumbnail beside the recognition, then store. As
// in the papers the recognition is somebody else's service, which takes 1.2 seconds; here it is asleep.
package image

import (
	"context"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

// ModelTime is how long the recognition takes.
const ModelTime = 1200 * time.Millisecond

// Picture is what is known of a picture.
type Picture struct {
	Name   string
	Format string
	Labels string
	Thumb  string
}

func step(name string, fn func(p *Picture)) *weft.FunctionOf[Picture, Picture] {
	return weft.Function(name, func(_ context.Context, p Picture) (Picture, error) {
		fn(&p)
		return p, nil
	}, weft.Idempotent())
}

// New returns the workload; modelTime is ModelTime but in tests.
func New(modelTime time.Duration) *workload.Workload {
	extract := step("extract", func(p *Picture) { p.Format = "JPEG " })
	transform := step("transform", func(p *Picture) { p.Format = p.Format[:4] })
	thumbnail := step("thumbnail", func(p *Picture) { p.Thumb = "thumb-" + p.Name })
	store := step("store", func(*Picture) {})
	recognise := weft.Function("recognise", func(ctx context.Context, p Picture) (Picture, error) {
		model := time.NewTimer(modelTime)
		defer model.Stop()
		select {
		case <-model.C:
			p.Labels = "cat"
			return p, nil
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}, weft.Idempotent())
	program := weft.Workflow("image", func(w *weft.Flow, name string) (Picture, error) {
		p, err := extract.Call(w, Picture{Name: name})
		if err != nil {
			return p, err
		}
		if p, err = transform.Call(w, p); err != nil {
			return p, err
		}
		seen, err := weft.All(w, recognise.Start(w, p), thumbnail.Start(w, p))
		if err != nil {
			return p, err
		}
		p.Labels, p.Thumb = seen[0].Labels, seen[1].Thumb
		return store.Call(w, p)
	})
	want := Picture{Name: "cat.jpg", Format: "JPEG", Labels: "cat", Thumb: "thumb-cat.jpg"}
	return &workload.Workload{
		Name: "image", About: "ImageRecognition: four short calls round one of 1.2 s",
		Declared: []weft.Declaration{extract, transform, thumbnail, store, recognise, program}, Unit: "runs", Units: 1, Outstanding: 64, Rate: 10,
		Delayed: true,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			got, err := workload.Run(ctx, s, program, want.Name)
			if err != nil {
				return err
			}
			return workload.Want("the picture", got, want)
		},
	}
}
