package server

import (
	"net/http"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

func (c *restCall) listEntities() (*reply, error) {
	q := c.r.URL.Query()
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	cursor, err := c.cursor()
	if err != nil {
		return nil, err
	}
	page, next, err := c.durable.ListEntities(c.r.Context(), q.Get("name"), q.Get("prefix"), limit, cursor)
	if err != nil {
		return nil, err
	}
	out := rest.Entities{Entities: []rest.Entity{}, Cursor: pageToken(next, c.query())}
	for i := range page {
		out.Entities = append(out.Entities, rest.EntityOf(&page[i]))
	}
	return ok(out), nil
}

func (c *restCall) entity() (*reply, error) {
	v, err := c.durable.Entity(c.r.Context(), c.r.PathValue("name"), c.r.PathValue("key"))
	if fault.Is(err, fault.RunNotFound) {
		return nil, fault.New("", fault.ResourceNotFound, c.r.PathValue("key"), "there is no entity %q with the key %q", c.r.PathValue("name"), c.r.PathValue("key"))
	}
	if err != nil {
		return nil, err
	}
	return ok(rest.EntityOf(v)), nil
}

// signal sends an operation to an entity. That the operation exists is the entity's code to say, later.
func (c *restCall) signal() (*reply, error) {
	at, err := c.time("at")
	if err != nil {
		return nil, err
	}
	name := c.r.PathValue("name")
	if err := c.hasEntity(name); err != nil {
		return nil, err
	}
	if err := c.durable.SignalEntity(c.r.Context(), name, c.r.PathValue("key"), c.r.PathValue("operation"), c.payload(), at); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}

// hasEntity refuses a signal to a kind of entity that the program does not have: it would wait for ever.
func (c *restCall) hasEntity(name string) error {
	_, entities, known := c.durable.CodeNames()
	if !known {
		return nil
	}
	for _, e := range entities {
		if e == name {
			return nil
		}
	}
	if len(entities) == 0 {
		return fault.New("", fault.ResourceNotFound, name, "this server's program has no entities written in Go, so it cannot do operations of %q: signal it where the program that has its code serves them", name)
	}
	return fault.New("", fault.ResourceNotFound, name, "there is no kind of entity %q here; there are: %s", name, strings.Join(entities, ", "))
}
