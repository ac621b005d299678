package cloudtasksapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/genproto/googleapis/rpc/code"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// schedule has a task dispatched after a while. s.mu is held.
func (s *Service) schedule(t *task, after time.Duration) {
	t.timer = time.AfterFunc(max(after, 0), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.queue.waiting = append(t.queue.waiting, t)
		s.pump(t.queue)
	})
}

// pump starts what waits, as far as the queue lets it. s.mu is held.
func (s *Service) pump(q *queue) {
	for len(q.waiting) > 0 && q.proto.GetState() == pb.Queue_RUNNING && q.running < int(q.proto.GetRateLimits().GetMaxConcurrentDispatches()) {
		t := q.waiting[0]
		q.waiting = q.waiting[1:]
		if !t.gone && !t.running {
			s.start(t)
		}
	}
}

// start begins an attempt. s.mu is held.
func (s *Service) start(t *task) {
	if s.closed {
		return
	}
	now := time.Now()
	if t.started.IsZero() {
		t.started = now
	}
	t.running = true
	t.queue.running++
	attempt := &pb.Attempt{ScheduleTime: t.proto.GetScheduleTime(), DispatchTime: timestamppb.New(now)}
	req, err := t.request(now)
	t.proto.DispatchCount++
	s.dispatch.Go(func() {
		status := 0
		if err == nil {
			status, err = s.send(req, t.proto.GetDispatchDeadline().AsDuration())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t.running = false
		t.queue.running--
		s.answered(t, attempt, status, err)
		s.pump(t.queue)
	})
}

// request makes the HTTP request of the next attempt. s.mu is held.
func (t *task) request(now time.Time) (*http.Request, error) {
	of := t.proto.GetHttpRequest()
	req, err := http.NewRequest(method(of), of.GetUrl(), bytes.NewReader(of.GetBody()))
	if err != nil {
		return nil, err
	}
	for name, value := range of.GetHeaders() {
		req.Header.Set(name, value)
	}
	if len(of.GetBody()) > 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	set := func(name, value string) { req.Header.Set("X-CloudTasks-"+name, value) }
	set("QueueName", lastPart(t.queue.proto.GetName()))
	set("TaskName", lastPart(t.proto.GetName()))
	set("TaskRetryCount", strconv.Itoa(int(t.proto.GetDispatchCount())))
	set("TaskExecutionCount", strconv.Itoa(int(t.proto.GetResponseCount())))
	set("TaskETA", strconv.FormatFloat(float64(t.proto.GetScheduleTime().AsTime().UnixMicro())/1e6, 'f', 6, 64))
	if t.previous != 0 {
		set("TaskPreviousResponse", strconv.Itoa(t.previous))
	}
	req.Header.Set("User-Agent", "Google-Cloud-Tasks")
	if oidc := of.GetOidcToken(); oidc != nil {
		audience := oidc.GetAudience()
		if audience == "" {
			audience = of.GetUrl()
		}
		req.Header.Set("Authorization", "Bearer "+token(oidc.GetServiceAccountEmail(), audience, now))
	}
	return req, nil
}

// token makes an OpenID token that nobody has signed.
func token(email, audience string, now time.Time) string {
	part := func(v any) string {
		b, _ := json.Marshal(v) // strings and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": "https://accounts.google.com", "aud": audience, "email": email, "email_verified": true, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}) + "."
}

// send carries out an attempt and returns the status of the answer.
func (s *Service) send(req *http.Request, deadline time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, deadline)
	defer cancel()
	res, err := s.config.Transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)) // so that the connection can be used again
	return res.StatusCode, nil
}

// answered ends a task, or schedules its next attempt. s.mu is held.
func (s *Service) answered(t *task, attempt *pb.Attempt, status int, err error) {
	now := time.Now()
	if err == nil {
		t.proto.ResponseCount++
		t.previous = status
		attempt.ResponseTime = timestamppb.New(now)
		attempt.ResponseStatus = statusOf(status)
	}
	if t.proto.LastAttempt = attempt; t.proto.FirstAttempt == nil {
		t.proto.FirstAttempt = &pb.Attempt{DispatchTime: attempt.GetDispatchTime()} // more is not told of it
	}
	if t.gone || s.closed {
		return
	}
	retry := t.queue.proto.GetRetryConfig()
	n := int(t.proto.GetDispatchCount())
	enough := retry.GetMaxAttempts() >= 0 && n >= int(retry.GetMaxAttempts())
	if most := retry.GetMaxRetryDuration().AsDuration(); most > 0 && now.Sub(t.started) < most {
		enough = false // both limits must be reached
	}
	if err == nil && status/100 == 2 || enough {
		t.end()
		return
	}
	pause := time.Duration(float64(backoff(retry, n)) * s.config.Scale)
	t.proto.ScheduleTime = timestamppb.New(now.Add(pause))
	s.schedule(t, pause)
}

// backoff is the pause after attempt n: it doubles max_doublings times, then grows by as much each time.
func backoff(retry *pb.RetryConfig, n int) time.Duration {
	most := retry.GetMaxBackoff().AsDuration()
	pause := retry.GetMinBackoff().AsDuration()
	for i := 1; i < n && pause < most; i++ {
		if i <= int(retry.GetMaxDoublings()) {
			pause *= 2
		} else {
			pause += retry.GetMinBackoff().AsDuration() << min(retry.GetMaxDoublings(), 20)
		}
	}
	return min(pause, most)
}

// statusOf says what a status of HTTP is among those of gRPC.
func statusOf(status int) *rpc.Status {
	of := map[int]code.Code{
		400: code.Code_INVALID_ARGUMENT, 401: code.Code_UNAUTHENTICATED, 403: code.Code_PERMISSION_DENIED, 404: code.Code_NOT_FOUND,
		409: code.Code_ABORTED, 429: code.Code_RESOURCE_EXHAUSTED, 501: code.Code_UNIMPLEMENTED, 503: code.Code_UNAVAILABLE, 504: code.Code_DEADLINE_EXCEEDED,
	}
	c, known := of[status]
	switch {
	case status/100 == 2:
		return &rpc.Status{}
	case !known && status >= 500:
		c = code.Code_INTERNAL
	case !known:
		c = code.Code_UNKNOWN
	}
	return &rpc.Status{Code: int32(c), Message: "HTTP status code " + strconv.Itoa(status)}
}
