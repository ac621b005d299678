package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/arn"
)

// pollTime is how long GetActivityTask waits for a task (API reference of GetActivityTask).
const pollTime = time.Minute

// activityName reads an activity's ARN; a name alone is taken when such an activity exists, like a machine's.
func (c *call) activityName(text string) (string, error) {
	c.subject = text
	a, err := arn.Parse(text)
	switch {
	case err == nil && a.Kind != arn.Activity:
		return "", wrongType(a.Kind)
	case err == nil:
		return a.Name, nil
	}
	if validName(text) {
		if _, found := c.backend.Activity(c.ctx, text); found == nil {
			return text, nil
		}
	}
	return "", fault.New("", fault.InvalidArn, text, "%w", err)
}

func (c *call) activity() (string, error) {
	text := c.in.String("activityArn")
	return c.activityName(text)
}

func (c *call) createActivity() (any, error) {
	name := c.in.String("name")
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	if _, err := c.readSettings(); err != nil { // of which an activity has the encryption
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	a, err := c.backend.CreateActivity(c.ctx, engine.CreateActivity{Name: name, Tags: tags})
	if fault.Is(err, fault.LimitExceeded) {
		return nil, refuse("ActivityLimitExceeded", "%s", err)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		ARN     string  `json:"activityArn"`
		Created seconds `json:"creationDate"`
	}{a.ARN, seconds(a.Created)}, nil
}

func (c *call) deleteActivity() (any, error) {
	name, err := c.activity()
	if err != nil {
		return nil, err
	}
	return empty{}, c.backend.DeleteActivity(c.ctx, name)
}

func (c *call) describeActivity() (any, error) {
	name, err := c.activity()
	if err != nil {
		return nil, err
	}
	a, err := c.backend.Activity(c.ctx, name)
	if err != nil {
		return nil, err
	}
	return struct {
		ARN        string     `json:"activityArn"`
		Name       string     `json:"name"`
		Created    seconds    `json:"creationDate"`
		Encryption encryption `json:"encryptionConfiguration"`
	}{a.ARN, a.Name, seconds(a.Created), encryption{Type: "AWS_OWNED_KEY"}}, nil
}

type activityItem struct {
	ARN     string  `json:"activityArn"`
	Name    string  `json:"name"`
	Created seconds `json:"creationDate"`
}

func (c *call) listActivities() (any, error) {
	size, token := c.in.Int("maxResults"), c.in.String("nextToken")
	from, err := pageCursor(token, "ListActivities")
	if err != nil {
		return nil, err
	}
	all, err := c.backend.ListActivities(c.ctx)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Activities []activityItem `json:"activities"`
		Next       string         `json:"nextToken,omitempty"`
	}{Activities: []activityItem{}}
	for _, a := range all {
		key := fmt.Sprintf("%016x/%s", a.Created, a.Name) // in the order of the list
		if key < from {
			continue
		}
		if len(answer.Activities) == pageOf(size) {
			answer.Next = pageToken(key, "ListActivities")
			break
		}
		answer.Activities = append(answer.Activities, activityItem{a.ARN, a.Name, seconds(a.Created)})
	}
	return answer, nil
}

// getActivityTask answers a task, or neither token nor input when none comes in time.
func (c *call) getActivityTask() (any, error) {
	text, worker := c.in.String("activityArn"), c.in.String("workerName")
	name, err := c.activityName(text)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stop := context.AfterFunc(c.closing, cancel)
	defer stop()
	work, err := c.backend.TakeTask(ctx, name, worker, pollTime)
	switch {
	case work == nil && err == nil:
		return empty{}, nil
	case err == nil:
		return struct {
			Token string `json:"taskToken"`
			Input string `json:"input"`
		}{work.Token, string(work.Input)}, nil
	case ctx.Err() != nil && c.closing.Err() != nil:
		return nil, &apiError{"ServiceUnavailable", http.StatusServiceUnavailable, "the server is closing; ask again when it is back"}
	}
	return nil, err
}
