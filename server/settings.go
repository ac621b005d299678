package server

import (
	"encoding/json"
	"strings"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
)

// Settings that are kept and shown. Only the first means something to Weft: engine writes the execution logs. It traces by
// itself and encrypts nothing. Clients such as Terraform compare what they sent with what they read back.
const (
	keyLogging    = "loggingConfiguration"
	keyTracing    = "tracingConfiguration"
	keyEncryption = "encryptionConfiguration"
)

type logging struct {
	Level                string           `json:"level"`
	IncludeExecutionData bool             `json:"includeExecutionData"`
	Destinations         []logDestination `json:"destinations,omitzero"`
}

type logDestination struct {
	Group *logGroup `json:"cloudWatchLogsLogGroup,omitempty"`
}

type logGroup struct {
	ARN string `json:"logGroupArn,omitempty"`
}

type tracing struct {
	Enabled bool `json:"enabled"`
}

type encryption struct {
	Type string `json:"type"`
}

// readSettings returns the settings of a request that are there, with AWS's defaults filled in.
func (c *call) readSettings() (map[string]json.RawMessage, error) {
	log, trace := c.readLogging(), c.readTracing()
	secret := c.in.Object(keyEncryption)
	kind := ""
	if secret != nil {
		kind = secret.String("type")
	}
	if kind == "CUSTOMER_MANAGED_KMS_KEY" {
		return nil, refuse("InvalidEncryptionConfiguration", "Invalid Encryption Configuration: customer managed keys are not supported; encrypt the disk of the data directory")
	}
	if log != nil && (log.Level != "OFF" && len(log.Destinations) != 1 || len(log.Destinations) > 1) {
		return nil, refuse("InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
	}
	kept := map[string]json.RawMessage{}
	var err error
	keep := func(name string, given bool, v any) {
		if given && err == nil {
			kept[name], err = encode(v)
		}
	}
	keep(keyLogging, log != nil, log)
	keep(keyTracing, trace != nil, trace)
	return kept, err
}

func (c *call) readLogging() *logging {
	in := c.in.Object(keyLogging)
	if in == nil {
		return nil
	}
	l := &logging{Level: in.String("level")}
	if l.Level == "" {
		l.Level = "OFF"
	}
	l.IncludeExecutionData = in.Bool("includeExecutionData", false)
	if in.Has("destinations") {
		l.Destinations = []logDestination{}
	}
	for _, d := range in.Objects("destinations") {
		var out logDestination
		if g := d.Object("cloudWatchLogsLogGroup"); g != nil {
			out.Group = &logGroup{ARN: g.String("logGroupArn")}
		}
		l.Destinations = append(l.Destinations, out)
	}
	return l
}

func (c *call) readTracing() *tracing {
	in := c.in.Object(keyTracing)
	if in == nil {
		return nil
	}
	return &tracing{Enabled: in.Bool("enabled", false)}
}

// shownSettings is what Describe operations say of them.
type shownSettings struct {
	Logging    json.RawMessage `json:"loggingConfiguration"`
	Tracing    json.RawMessage `json:"tracingConfiguration"`
	Encryption encryption      `json:"encryptionConfiguration"`
}

func settingsOf(m *engine.Machine) shownSettings {
	s := shownSettings{
		Logging:    m.Extra[keyLogging],
		Tracing:    m.Extra[keyTracing],
		Encryption: encryption{Type: "AWS_OWNED_KEY"},
	}
	if s.Logging == nil {
		s.Logging = json.RawMessage(`{"level":"OFF","includeExecutionData":false}`)
	}
	if s.Tracing == nil {
		s.Tracing = json.RawMessage(`{"enabled":false}`)
	}
	return s
}

// checkRole returns InvalidArn unless a text is written like a role's ARN. Weft assumes no role; it keeps it.
func checkRole(text string) error {
	part := strings.SplitN(text, ":", 6)
	if len(part) == 6 && part[0] == "arn" && part[2] == "iam" && strings.HasPrefix(part[5], "role/") {
		return nil
	}
	if !strings.HasPrefix(text, "arn:") {
		return fault.New("", fault.InvalidArn, text, "Invalid ARN prefix: %s", text)
	}
	return refuse("InvalidArn", "Invalid Role Arn: '%s'", text)
}
