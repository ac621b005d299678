package lambdaapi

import (
	"net/http"
	"time"

	"github.com/weftworks/weft/faas"
)

// eventConfig is how events of a function are executed, as it was set.
type eventConfig struct {
	FunctionArn  string
	LastModified float64 // Unix seconds
	MaxAge       *int    `json:"MaximumEventAgeInSeconds,omitempty"`
	MaxRetries   *int    `json:"MaximumRetryAttempts,omitempty"`
	Destinations *struct {
		OnSuccess, OnFailure struct {
			Destination string `json:",omitempty"`
		}
	} `json:"DestinationConfig,omitempty"`
}

// putEventConfig is PutFunctionEventInvokeConfig: what it does not say is as it is by itself.
func (s *Server) putEventConfig(w http.ResponseWriter, r *http.Request) error {
	return s.setEventConfig(w, r, "PutFunctionEventInvokeConfig", func(eventConfig, bool) (eventConfig, error) { return eventConfig{}, nil })
}

// updateEventConfig is UpdateFunctionEventInvokeConfig: what it does not say stays.
func (s *Server) updateEventConfig(w http.ResponseWriter, r *http.Request) error {
	return s.setEventConfig(w, r, "UpdateFunctionEventInvokeConfig", func(was eventConfig, set bool) (eventConfig, error) {
		if !set {
			return was, errNoEventConfig(was.FunctionArn)
		}
		return was, nil
	})
}

func errNoEventConfig(arn string) error {
	return notFound("The function " + arn + " doesn't have an EventInvokeConfig")
}

// setEventConfig changes what base makes of the present configuration as the request says.
func (s *Server) setEventConfig(w http.ResponseWriter, r *http.Request, operation string, base func(was eventConfig, set bool) (eventConfig, error)) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	var in eventConfig
	if err := read(r, operation, requestBytes, &in); err != nil {
		return err
	}
	if in.MaxAge == nil && in.MaxRetries == nil && in.Destinations == nil {
		return invalidParameter("You must specify at least one of error handling or destination setting.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was, set := s.invokes[name]
	was.FunctionArn = s.service.ARN(name) + ":" + faas.Version
	c, err := base(was, set)
	if err != nil {
		return err
	}
	c.FunctionArn, c.LastModified = was.FunctionArn, float64(time.Now().UnixMilli())/1000
	if in.MaxAge != nil {
		c.MaxAge = in.MaxAge
	}
	if in.MaxRetries != nil {
		c.MaxRetries = in.MaxRetries
	}
	if in.Destinations != nil {
		c.Destinations = in.Destinations
	}
	if err := s.service.Configure(name, c.configure); err != nil {
		return err
	}
	s.invokes[name] = c
	reply(w, http.StatusOK, &c)
	return nil
}

// configure makes settings what the configuration says.
func (c *eventConfig) configure(settings *faas.Settings) {
	settings.MaxRetries, settings.MaxAge = c.MaxRetries, 0
	if c.MaxAge != nil {
		settings.MaxAge = time.Duration(*c.MaxAge) * time.Second
	}
	settings.OnSuccess, settings.OnFailure = "", ""
	if d := c.Destinations; d != nil {
		settings.OnSuccess, settings.OnFailure = d.OnSuccess.Destination, d.OnFailure.Destination
	}
}

// getEventConfig is GetFunctionEventInvokeConfig.
func (s *Server) getEventConfig(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.invokes[name]
	if !ok {
		return errNoEventConfig(s.service.ARN(name) + ":" + faas.Version)
	}
	reply(w, http.StatusOK, &c)
	return nil
}

// listEventConfigs is ListFunctionEventInvokeConfigs: there is one at most.
func (s *Server) listEventConfigs(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []eventConfig
	if c, ok := s.invokes[name]; ok {
		all = append(all, c)
	}
	return listed(w, r, "FunctionEventInvokeConfigs", all)
}

// deleteEventConfig is DeleteFunctionEventInvokeConfig.
func (s *Server) deleteEventConfig(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.invokes[name]; !ok {
		return errNoEventConfig(s.service.ARN(name) + ":" + faas.Version)
	}
	delete(s.invokes, name)
	if err := s.service.Configure(name, new(eventConfig).configure); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// putConcurrency is PutFunctionConcurrency.
func (s *Server) putConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	var in struct{ ReservedConcurrentExecutions *int }
	if err := read(r, "PutFunctionConcurrency", requestBytes, &in); err != nil {
		return err
	}
	if in.ReservedConcurrentExecutions == nil {
		return invalidParameter("1 validation error detected: Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must not be null")
	}
	if err := s.service.Configure(name, func(settings *faas.Settings) { settings.Reserved = in.ReservedConcurrentExecutions }); err != nil {
		e := *errorOf(err)
		e.status, e.name = http.StatusBadRequest, "InvalidParameterValueException"
		return &e
	}
	reply(w, http.StatusOK, in)
	return nil
}

// getConcurrency is GetFunctionConcurrency.
func (s *Server) getConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	settings, err := s.service.Settings(name)
	if err != nil {
		return err
	}
	out := map[string]int{}
	if settings.Reserved != nil {
		out["ReservedConcurrentExecutions"] = *settings.Reserved
	}
	reply(w, http.StatusOK, out)
	return nil
}

// deleteConcurrency is DeleteFunctionConcurrency.
func (s *Server) deleteConcurrency(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	if err := s.service.Configure(name, func(settings *faas.Settings) { settings.Reserved = nil }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// putRecursion is PutFunctionRecursionConfig. Nothing here ends loops of functions; it is kept for those who ask.
func (s *Server) putRecursion(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	var in struct{ RecursiveLoop string }
	if err := read(r, "PutFunctionRecursionConfig", requestBytes, &in); err != nil {
		return err
	}
	if in.RecursiveLoop != "Allow" && in.RecursiveLoop != "Terminate" {
		return invalidParameter("RecursiveLoop has to be Allow or Terminate")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recursion[name] = in.RecursiveLoop
	reply(w, http.StatusOK, in)
	return nil
}

// getRecursion is GetFunctionRecursionConfig.
func (s *Server) getRecursion(w http.ResponseWriter, r *http.Request) error {
	name, err := s.existing(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	loop, ok := s.recursion[name]
	if !ok {
		loop = "Terminate"
	}
	reply(w, http.StatusOK, map[string]string{"RecursiveLoop": loop})
	return nil
}
