package cloudtasksapi

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// queue is a queue with its tasks. Service.mu guards it.
type queue struct {
	proto   *pb.Queue
	policy  *iampb.Policy
	tasks   map[string]*task
	used    map[string]time.Time // names of tasks that are gone, until when they cannot be used again
	running int
	waiting []*task // due, and not yet dispatched
}

// task is a task that is not gone.
type task struct {
	queue *queue
	proto *pb.Task
	timer *time.Timer
	// started is when the first attempt began; zero: there has been none.
	started time.Time
	// previous is the status of the answer to the last attempt; 0: there was none.
	previous int
	running  bool
	gone     bool
}

// Service is the API without a port.
type Service struct {
	pb.UnimplementedCloudTasksServer
	config   Config
	ctx      context.Context
	cancel   context.CancelFunc
	dispatch sync.WaitGroup

	mu       sync.Mutex
	queues   map[string]*queue
	policies int64 // that were set
	closed   bool
}

// New returns a Service without queues. Close it.
func New(c Config) *Service {
	if c.Scale == 0 {
		c.Scale = 1
	}
	if c.Transport == nil {
		c.Transport = loopback()
	}
	s := &Service{config: c, queues: make(map[string]*queue)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close forgets all tasks and waits for the dispatches under way, which it cancels.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, q := range s.queues {
		q.empty()
	}
	s.mu.Unlock()
	s.cancel()
	s.dispatch.Wait()
}

var (
	location  = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+$`)
	queueName = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/queues/[A-Za-z0-9-]{1,100}$`)
	taskName  = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/queues/[A-Za-z0-9-]{1,100}/tasks/[A-Za-z0-9_-]{1,500}$`)
)

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// lastPart returns what follows the last slash.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// parent returns a name without its last two parts.
func parent(name string) string {
	name = name[:strings.LastIndexByte(name, '/')]
	return name[:strings.LastIndexByte(name, '/')]
}

// find returns a queue. s.mu is held.
func (s *Service) find(name string) (*queue, error) {
	if !queueName.MatchString(name) {
		return nil, invalid("Queue name must be formatted: \"projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>\"")
	}
	q := s.queues[name]
	if q == nil {
		return nil, status.Error(codes.NotFound, "Requested entity was not found.")
	}
	return q, nil
}

// complete gives a queue what it was not given, and holds it to Cloud Tasks' limits.
func complete(q *pb.Queue) error {
	q.State = pb.Queue_RUNNING
	limits, retry := q.GetRateLimits(), q.GetRetryConfig()
	if limits == nil {
		limits = &pb.RateLimits{}
	}
	if retry == nil {
		retry = &pb.RetryConfig{}
	}
	limits.MaxDispatchesPerSecond = orDefault(limits.GetMaxDispatchesPerSecond(), 500)
	limits.MaxConcurrentDispatches = orDefault(limits.GetMaxConcurrentDispatches(), 1000)
	limits.MaxBurstSize = 100
	retry.MaxAttempts = orDefault(retry.GetMaxAttempts(), 100)
	if retry.MinBackoff == nil {
		retry.MinBackoff = durationpb.New(100 * time.Millisecond)
	}
	if retry.MaxBackoff == nil {
		retry.MaxBackoff = durationpb.New(time.Hour)
	}
	retry.MaxDoublings = orDefault(retry.GetMaxDoublings(), 16)
	switch {
	case limits.MaxDispatchesPerSecond < 0 || limits.MaxDispatchesPerSecond > 500:
		return invalid("Queue.RateLimits.max_dispatches_per_second must be between 0 and 500.")
	case limits.MaxConcurrentDispatches < 0 || limits.MaxConcurrentDispatches > 5000:
		return invalid("Queue.RateLimits.max_concurrent_dispatches must be between 1 and 5000.")
	case retry.MaxAttempts < -1:
		return invalid("Queue.RetryConfig.max_attempts must be -1 or positive.")
	case retry.MinBackoff.AsDuration() > retry.MaxBackoff.AsDuration():
		return invalid("Queue.RetryConfig.min_backoff must be less than or equal to max_backoff.")
	}
	q.RateLimits, q.RetryConfig = limits, retry
	return nil
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// CreateQueue makes a queue.
func (s *Service) CreateQueue(_ context.Context, req *pb.CreateQueueRequest) (*pb.Queue, error) {
	made := proto.CloneOf(req.GetQueue())
	if !queueName.MatchString(made.GetName()) || parent(made.GetName()) != req.GetParent() {
		return nil, invalid("Queue name must be formatted: \"%s/queues/<QUEUE_ID>\"", req.GetParent())
	}
	if err := complete(made); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[made.GetName()] != nil {
		return nil, status.Error(codes.AlreadyExists, "Queue already exists")
	}
	s.queues[made.GetName()] = &queue{proto: made, policy: &iampb.Policy{Etag: []byte("0")}, tasks: make(map[string]*task), used: make(map[string]time.Time)}
	return proto.CloneOf(made), nil
}

// UpdateQueue changes, or makes, a queue. Of the mask only the top level counts: what it names is replaced whole.
func (s *Service) UpdateQueue(ctx context.Context, req *pb.UpdateQueueRequest) (*pb.Queue, error) {
	name := req.GetQueue().GetName()
	s.mu.Lock()
	q, err := s.find(name)
	if status.Code(err) == codes.NotFound {
		s.mu.Unlock()
		return s.CreateQueue(ctx, &pb.CreateQueueRequest{Parent: parent(name), Queue: req.GetQueue()})
	}
	defer s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	next := proto.CloneOf(q.proto)
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		paths = []string{"rate_limits", "retry_config"}
	}
	for _, path := range paths {
		switch top, _, _ := strings.Cut(path, "."); top {
		case "rate_limits":
			next.RateLimits = proto.CloneOf(req.GetQueue().GetRateLimits())
		case "retry_config":
			next.RetryConfig = proto.CloneOf(req.GetQueue().GetRetryConfig())
		default:
			return nil, invalid("Field %q of a queue cannot be updated here.", path)
		}
	}
	state := next.State
	if err := complete(next); err != nil {
		return nil, err
	}
	next.State = state
	q.proto = next
	s.pump(q)
	return proto.CloneOf(next), nil
}

// GetQueue returns a queue.
func (s *Service) GetQueue(_ context.Context, req *pb.GetQueueRequest) (*pb.Queue, error) {
	return s.withQueue(req.GetName(), func(*queue) {})
}

// withQueue changes a queue and returns it.
func (s *Service) withQueue(name string, fn func(q *queue)) (*pb.Queue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(name)
	if err != nil {
		return nil, err
	}
	fn(q)
	return proto.CloneOf(q.proto), nil
}

// PauseQueue keeps tasks from being dispatched.
func (s *Service) PauseQueue(_ context.Context, req *pb.PauseQueueRequest) (*pb.Queue, error) {
	return s.withQueue(req.GetName(), func(q *queue) { q.proto.State = pb.Queue_PAUSED })
}

// ResumeQueue dispatches what has waited.
func (s *Service) ResumeQueue(_ context.Context, req *pb.ResumeQueueRequest) (*pb.Queue, error) {
	return s.withQueue(req.GetName(), func(q *queue) {
		q.proto.State = pb.Queue_RUNNING
		s.pump(q)
	})
}

// PurgeQueue deletes all tasks of a queue.
func (s *Service) PurgeQueue(_ context.Context, req *pb.PurgeQueueRequest) (*pb.Queue, error) {
	return s.withQueue(req.GetName(), func(q *queue) {
		q.empty()
		q.proto.PurgeTime = timestamppb.Now()
	})
}

func (q *queue) empty() {
	for _, t := range q.tasks {
		t.end()
	}
}

// DeleteQueue deletes a queue with its tasks.
func (s *Service) DeleteQueue(_ context.Context, req *pb.DeleteQueueRequest) (*emptypb.Empty, error) {
	_, err := s.withQueue(req.GetName(), func(q *queue) {
		q.empty()
		delete(s.queues, req.GetName())
	})
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// ListQueues returns the queues of a location, by name, all on one page.
func (s *Service) ListQueues(_ context.Context, req *pb.ListQueuesRequest) (*pb.ListQueuesResponse, error) {
	if !location.MatchString(req.GetParent()) {
		return nil, invalid("Parent must be formatted: \"projects/<PROJECT_ID>/locations/<LOCATION_ID>\"")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &pb.ListQueuesResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if parent(name) == req.GetParent() {
			out.Queues = append(out.Queues, proto.CloneOf(s.queues[name].proto))
		}
	}
	return out, nil
}

// GetIamPolicy returns who may do what with a queue.
func (s *Service) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (p *iampb.Policy, err error) {
	_, err = s.withQueue(req.GetResource(), func(q *queue) { p = proto.CloneOf(q.policy) })
	return p, err
}

// SetIamPolicy says who may do what with a queue, if nobody else has since the policy was read. Nobody is held to it.
func (s *Service) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (p *iampb.Policy, err error) {
	_, gone := s.withQueue(req.GetResource(), func(q *queue) {
		if etag := req.GetPolicy().GetEtag(); len(etag) > 0 && string(etag) != string(q.policy.GetEtag()) {
			err = status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
			return
		}
		q.policy = proto.CloneOf(req.GetPolicy())
		s.policies++
		q.policy.Etag = strconv.AppendInt(nil, s.policies, 10)
		p = proto.CloneOf(q.policy)
	})
	if gone != nil {
		err = gone
	}
	return p, err
}
