package cloudtasksapi

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of tasks, Cloud Tasks' own but for the number of tasks in a queue, which is this endpoint's.
const (
	taskBytes       = 100 << 10
	scheduleMax     = 30 * 24 * time.Hour
	deadlineDefault = 10 * time.Minute
	deadlineLeast   = 15 * time.Second
	deadlineMost    = 30 * time.Minute
	nameKept        = time.Hour // after a task is gone, until another may have its name
	tasksMax        = 1_000_000
)

// check returns what Cloud Tasks would not take of a task, and completes it.
func check(t *pb.Task, now time.Time) error {
	req := t.GetHttpRequest()
	switch target, err := url.Parse(req.GetUrl()); {
	case req == nil:
		return invalid("A task must have an HTTP request here: App Engine is not there.")
	case proto.Size(t) > taskBytes:
		return invalid("Task size too large")
	case err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "":
		return invalid("HttpRequest.url is required and must begin with http:// or https://")
	case len(req.GetBody()) > 0 && !slices.Contains(bodied, method(req)):
		return invalid("HTTP method %s cannot have a body.", method(req))
	}
	if t.ScheduleTime == nil {
		t.ScheduleTime = timestamppb.New(now)
	}
	if at := t.ScheduleTime.AsTime(); at.After(now.Add(scheduleMax)) {
		return invalid("The schedule time must be at most %d hours in the future.", scheduleMax/time.Hour)
	} else if at.Before(now) {
		t.ScheduleTime = timestamppb.New(now)
	}
	if t.DispatchDeadline == nil {
		t.DispatchDeadline = durationpb.New(deadlineDefault)
	}
	if d := t.DispatchDeadline.AsDuration(); d < deadlineLeast || d > deadlineMost {
		return invalid("The dispatch deadline must be between %v and %v.", deadlineLeast, deadlineMost)
	}
	t.CreateTime = timestamppb.New(now)
	return nil
}

var bodied = []string{"POST", "PUT", "PATCH"}

func method(req *pb.HttpRequest) string {
	if req.GetHttpMethod() == pb.HttpMethod_HTTP_METHOD_UNSPECIFIED {
		return "POST"
	}
	return req.GetHttpMethod().String()
}

// CreateTask adds a task to a queue.
func (s *Service) CreateTask(_ context.Context, req *pb.CreateTaskRequest) (*pb.Task, error) {
	made := proto.CloneOf(req.GetTask())
	if made == nil {
		return nil, invalid("Task is required.")
	}
	now := time.Now()
	if err := check(made, now); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(req.GetParent())
	switch {
	case err != nil:
		return nil, err
	case s.closed:
		return nil, status.Error(codes.Unavailable, "The endpoint is closing.")
	case len(q.tasks) >= tasksMax:
		return nil, status.Error(codes.ResourceExhausted, "The queue has too many tasks.")
	}
	if err := q.name(made, req.GetParent(), now); err != nil {
		return nil, err
	}
	t := &task{queue: q, proto: made}
	q.tasks[made.GetName()] = t
	s.schedule(t, made.GetScheduleTime().AsTime().Sub(now))
	return view(made, req.GetResponseView()), nil
}

// name gives a task a name, or sees to it that the one it has is free.
func (q *queue) name(t *pb.Task, in string, now time.Time) error {
	if t.GetName() == "" {
		t.Name = in + "/tasks/" + strconv.FormatUint(rand.Uint64(), 10)
		return nil
	}
	if !taskName.MatchString(t.GetName()) || parent(t.GetName()) != in {
		return invalid("Task name must be formatted: \"%s/tasks/<TASK_ID>\"", in)
	}
	maps.DeleteFunc(q.used, func(_ string, until time.Time) bool { return now.After(until) })
	if _, used := q.used[t.GetName()]; used || q.tasks[t.GetName()] != nil {
		return status.Error(codes.AlreadyExists, "Requested entity already exists")
	}
	return nil
}

// view is what a client is told of a task.
func view(t *pb.Task, v pb.Task_View) *pb.Task {
	out := proto.CloneOf(t)
	if v != pb.Task_FULL {
		v = pb.Task_BASIC
		if req := out.GetHttpRequest(); req != nil {
			req.Body = nil
		}
	}
	out.View = v
	return out
}

// findTask returns a task. s.mu is held.
func (s *Service) findTask(name string) (*task, error) {
	if !taskName.MatchString(name) {
		return nil, invalid("Task name must be formatted: \"projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>\"")
	}
	q, err := s.find(parent(name))
	if err != nil {
		return nil, err
	}
	t := q.tasks[name]
	if t == nil {
		return nil, status.Error(codes.NotFound, "Requested entity was not found.")
	}
	return t, nil
}

// GetTask returns a task that is not gone.
func (s *Service) GetTask(_ context.Context, req *pb.GetTaskRequest) (*pb.Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.findTask(req.GetName())
	if err != nil {
		return nil, err
	}
	return view(t.proto, req.GetResponseView()), nil
}

// ListTasks returns the tasks of a queue, by name, all on one page.
func (s *Service) ListTasks(_ context.Context, req *pb.ListTasksRequest) (*pb.ListTasksResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(req.GetParent())
	if err != nil {
		return nil, err
	}
	out := &pb.ListTasksResponse{}
	for _, name := range slices.Sorted(maps.Keys(q.tasks)) {
		out.Tasks = append(out.Tasks, view(q.tasks[name].proto, req.GetResponseView()))
	}
	return out, nil
}

// DeleteTask deletes a task. One that is being dispatched is not called back.
func (s *Service) DeleteTask(_ context.Context, req *pb.DeleteTaskRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.findTask(req.GetName())
	if err != nil {
		return nil, err
	}
	t.end()
	return &emptypb.Empty{}, nil
}

// RunTask dispatches a task now, whatever its time and the queue's state.
func (s *Service) RunTask(_ context.Context, req *pb.RunTaskRequest) (*pb.Task, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.findTask(req.GetName())
	if err != nil {
		return nil, err
	}
	if !t.running {
		t.proto.ScheduleTime = timestamppb.Now()
		t.timer.Stop()
		s.start(t)
	}
	return view(t.proto, req.GetResponseView()), nil
}

// end has a task be gone. s.mu is held.
func (t *task) end() {
	t.gone = true
	t.timer.Stop()
	delete(t.queue.tasks, t.proto.GetName())
	t.queue.used[t.proto.GetName()] = time.Now().Add(nameKept)
}
