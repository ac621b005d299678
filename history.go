package weft

import (
	"github.com/weftworks/weft/durable"
)

// History is the events of one execution of a run.
type History []durable.Event
