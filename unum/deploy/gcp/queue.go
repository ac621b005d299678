package gcp

import (
	"context"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weftworks/weft/unum/deploy"
)

func queueAttrs(name string) deploy.Attrs { return deploy.Attrs{"name": name} }

// readQueue reads a queue, whose name nobody else would have.
func (t *Target) readQueue(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	q, err := t.Tasks.GetQueue(ctx, &pb.GetQueueRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	retry, rate := q.GetRetryConfig(), q.GetRateLimits()
	return &deploy.Observed{Attrs: queueAttrs(r.Name), Spec: &Queue{
		MaxAttempts: retry.GetMaxAttempts(), MinBackoffMillis: retry.GetMinBackoff().AsDuration().Milliseconds(),
		MaxBackoffMillis: retry.GetMaxBackoff().AsDuration().Milliseconds(), MaxDoublings: retry.GetMaxDoublings(),
		PerSecond: int32(rate.GetMaxDispatchesPerSecond()), Concurrent: rate.GetMaxConcurrentDispatches(),
	}}, nil
}

func queueOf(r *deploy.Resource) *pb.Queue {
	spec := r.Spec.(*Queue)
	millis := func(n int64) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Millisecond) }
	return &pb.Queue{
		Name: r.Name,
		RetryConfig: &pb.RetryConfig{
			MaxAttempts: spec.MaxAttempts, MinBackoff: millis(spec.MinBackoffMillis), MaxBackoff: millis(spec.MaxBackoffMillis), MaxDoublings: spec.MaxDoublings,
		},
		RateLimits: &pb.RateLimits{MaxDispatchesPerSecond: float64(spec.PerSecond), MaxConcurrentDispatches: spec.Concurrent},
	}
}

func (t *Target) createQueue(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	location, _ := split(r.Name)
	_, err := t.Tasks.CreateQueue(ctx, &pb.CreateQueueRequest{Parent: location, Queue: queueOf(r)})
	return queueAttrs(r.Name), err
}

func (t *Target) updateQueue(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	_, err := t.Tasks.UpdateQueue(ctx, &pb.UpdateQueueRequest{
		Queue: queueOf(r), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_config", "rate_limits"}},
	})
	return queueAttrs(r.Name), err
}

func (t *Target) deleteQueue(ctx context.Context, o *deploy.Owned) error {
	return t.Tasks.DeleteQueue(ctx, &pb.DeleteQueueRequest{Name: o.Name})
}
