package server

import (
	"slices"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/server/arn"
)

type tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// readTags reads the tags of a request; of a key given twice the last value counts.
func (c *call) readTags() (map[string]string, error) {
	tags := map[string]string{}
	for _, t := range c.in.Objects("tags") {
		tags[t.String("key")] = t.String("value")
	}
	if len(tags) > limits.Tags {
		return nil, tooManyTags()
	}
	return tags, nil
}

func tooManyTags() error {
	return fault.New("", fault.TooManyTags, "", "a resource has at most %d tags", limits.Tags)
}

// tagged is a resource with tags.
type tagged struct {
	tags   map[string]string
	change func(set map[string]string, remove []string) error
}

// tagged returns the machine or activity whose tags an operation is about.
func (c *call) tagged(text string) (*tagged, error) {
	c.subject = text
	a, err := arn.Parse(text)
	if err == nil && a.Kind == arn.Activity {
		return c.taggedActivity(text, a.Name)
	}
	if err == nil && (a.Kind != arn.Machine || a.Qualifier != "" || a.Label != "") {
		if a.Kind != arn.Machine {
			return nil, wrongType(a.Kind)
		}
		return nil, noResource(text)
	}
	m, err := c.machine(text)
	if fault.Is(err, fault.MachineNotFound) {
		return nil, noResource(text)
	}
	if err != nil {
		return nil, err
	}
	return &tagged{m.Tags, func(set map[string]string, remove []string) error {
		_, err := c.backend.TagMachine(c.ctx, m.Name, set, remove)
		return err
	}}, nil
}

func (c *call) taggedActivity(text, name string) (*tagged, error) {
	a, err := c.backend.Activity(c.ctx, name)
	if fault.Is(err, fault.ActivityNotFound) {
		return nil, noResource(text)
	}
	if err != nil {
		return nil, err
	}
	return &tagged{a.Tags, func(set map[string]string, remove []string) error {
		_, err := c.backend.TagActivity(c.ctx, name, set, remove)
		return err
	}}, nil
}

func (c *call) tagResource() (any, error) {
	text := c.in.String("resourceArn")
	tags, err := c.readTags()
	if err != nil {
		return nil, err
	}
	m, err := c.tagged(text)
	if err != nil || len(tags) == 0 {
		return empty{}, err
	}
	total := len(m.tags)
	for key := range tags {
		if _, there := m.tags[key]; !there {
			total++
		}
	}
	if total > limits.Tags {
		return nil, tooManyTags()
	}
	return empty{}, m.change(tags, nil)
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *call) untagResource() (any, error) {
	text := c.in.String("resourceArn")
	keys := c.in.Strings("tagKeys", nil)
	m, err := c.tagged(text)
	if err != nil || len(keys) == 0 {
		return empty{}, err
	}
	return empty{}, m.change(nil, keys)
}

func (c *call) listTagsForResource() (any, error) {
	text := c.in.String("resourceArn")
	m, err := c.tagged(text)
	if err != nil {
		return nil, err
	}
	tags := []tag{}
	for key, value := range m.tags {
		tags = append(tags, tag{key, value})
	}
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return struct {
		Tags []tag `json:"tags"`
	}{tags}, nil
}

// noResource says that nothing that has tags has an ARN.
func noResource(text string) error {
	return fault.New("", fault.ResourceNotFound, text, "Resource not found: '%s'", text)
}
