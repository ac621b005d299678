package client

import (
	"context"
	"iter"
)

// Activity is an activity as ListActivities and DescribeActivity show it.
type Activity struct {
	ARN     string `json:"activityArn"`
	Name    string `json:"name"`
	Created Time   `json:"creationDate"`
}

// Task is a task of an activity, as GetActivityTask hands it out. Without a Token there is none.
type Task struct {
	Token string `json:"taskToken,omitempty"`
	Input string `json:"input,omitempty"`
}

// CreateActivity makes an activity and returns it; one that is there stays as it is.
func (c *Client) CreateActivity(ctx context.Context, name string) (*Activity, error) {
	out := &Activity{Name: name}
	return out, c.Call(ctx, "CreateActivity", map[string]string{"name": name}, out)
}

// Activities returns all activities, oldest first.
func (c *Client) Activities(ctx context.Context) iter.Seq2[Activity, error] {
	return pages(func(token string) ([]Activity, string, error) {
		var out struct {
			Activities []Activity `json:"activities"`
			Next       string     `json:"nextToken"`
		}
		in := map[string]any{"maxResults": 1000}
		if token != "" {
			in["nextToken"] = token
		}
		err := c.Call(ctx, "ListActivities", in, &out)
		return out.Activities, out.Next, err
	})
}

// DescribeActivity returns one activity, by ARN or name.
func (c *Client) DescribeActivity(ctx context.Context, arn string) (*Activity, error) {
	out := new(Activity)
	return out, c.Call(ctx, "DescribeActivity", map[string]string{"activityArn": arn}, out)
}

// DeleteActivity removes an activity.
func (c *Client) DeleteActivity(ctx context.Context, arn string) error {
	return c.Call(ctx, "DeleteActivity", map[string]string{"activityArn": arn}, nil)
}

// PollTask waits up to a minute for a task of an activity.
func (c *Client) PollTask(ctx context.Context, arn, worker string) (*Task, error) {
	in := map[string]string{"activityArn": arn}
	if worker != "" {
		in["workerName"] = worker
	}
	out := new(Task)
	return out, c.Call(ctx, "GetActivityTask", in, out)
}

// SucceedTask ends a task with its output, one JSON text.
func (c *Client) SucceedTask(ctx context.Context, token, output string) error {
	return c.Call(ctx, "SendTaskSuccess", map[string]string{"taskToken": token, "output": output}, nil)
}

// FailTask ends a task with an error.
func (c *Client) FailTask(ctx context.Context, token, name, cause string) error {
	return c.Call(ctx, "SendTaskFailure", map[string]string{"taskToken": token, "error": name, "cause": cause}, nil)
}

// BeatTask says that a task is still worked at.
func (c *Client) BeatTask(ctx context.Context, token string) error {
	return c.Call(ctx, "SendTaskHeartbeat", map[string]string{"taskToken": token}, nil)
}
