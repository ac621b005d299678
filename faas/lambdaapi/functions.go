package lambdaapi

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
)

// What Lambda bounds of a function.
const (
	zipBytes         = 50 << 20 // a package in a request; larger ones have to come from S3
	codeRequestBytes = zipBytes/3*4 + 1<<20
	unpackedBytes    = 262_144_000 // of a function and its layers
	mostLayers       = 5
	environmentBytes = 4 << 10
	mostTimeout      = 900
	defaultTimeout   = 3
	leastMemory      = 128
	mostMemory       = 10_240
)

// created is a function that was created here. Its fields belong to Server.mu.
type created struct {
	config configuration
	code   *archive
	layers []*layerVersion // of config, which may have been deleted since
	tags   map[string]string
}

// configuration is FunctionConfiguration.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string `json:",omitempty"`
	Role             string `json:",omitempty"`
	Handler          string `json:",omitempty"`
	CodeSize         int
	Description      string
	Timeout          int
	MemorySize       int
	LastModified     string
	CodeSha256       string
	Version          string
	Environment      *environment `json:",omitempty"`
	TracingConfig    map[string]string
	RevisionID       string       `json:"RevisionId"`
	Layers           []layerInUse `json:",omitempty"`
	State            string
	StateReason      string `json:",omitempty"`
	StateReasonCode  string `json:",omitempty"`
	LastUpdateStatus string
	UpdateReason     string `json:"LastUpdateStatusReason,omitempty"`
	UpdateReasonCode string `json:"LastUpdateStatusReasonCode,omitempty"`
	PackageType      string
	Architectures    []string
	EphemeralStorage map[string]int
}

type environment struct{ Variables map[string]string }

type layerInUse struct {
	Arn      string
	CodeSize int
}

// wanted is what CreateFunction and UpdateFunctionConfiguration say of a function; nil is left as it is.
type wanted struct {
	FunctionName  string
	Runtime       *string
	Role          *string
	Handler       *string
	Description   *string
	Timeout       *int
	MemorySize    *int
	Environment   *environment
	Layers        *[]string
	Architectures []string
	PackageType   string
	Code          codeSource
	Tags          map[string]string
	RevisionID    string `json:"RevisionId"`
}

// codeSource is where code comes from.
type codeSource struct {
	ZipFile         []byte
	S3Bucket, S3Key string
	ImageURI        string `json:"ImageUri"`
	Architectures   []string
	DryRun          bool
	RevisionID      string `json:"RevisionId"`
}

var (
	roleARN      = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	runtimeName  = regexp.MustCompile(`^(python3\.\d+|nodejs\d+\.x|provided\.al2|provided\.al2023)$`)
)

// createFunction is CreateFunction. The function is Pending until its code is unpacked.
func (s *Server) createFunction(w http.ResponseWriter, r *http.Request) error {
	var in wanted
	if err := read(r, "CreateFunction", codeRequestBytes, &in); err != nil {
		return err
	}
	if s.cfg.Dir == "" {
		return invalidParameter("this endpoint has no directory for code: functions cannot be created")
	}
	name := function.NameOf(in.FunctionName)
	if err := function.CheckName(name); err != nil {
		return invalidParameter(err.Error())
	}
	if err := in.Code.check(); err != nil {
		return err
	}
	code, err := newArchive(s.cfg.Dir, in.Code.ZipFile)
	if err != nil {
		return err
	}
	c := &created{code: code, tags: maps.Clone(in.Tags), config: configuration{
		FunctionName: name, FunctionArn: s.service.ARN(name), Timeout: defaultTimeout, MemorySize: leastMemory, Version: faas.Version,
		TracingConfig: map[string]string{"Mode": "PassThrough"}, PackageType: "Zip", Architectures: []string{"x86_64"},
		EphemeralStorage: map[string]int{"Size": 512},
		State:            "Pending", StateReason: "The function is being created.", StateReasonCode: "Creating",
		LastUpdateStatus: "InProgress", UpdateReason: "The function is being created.", UpdateReasonCode: "Creating",
	}}
	c.config.describe(code)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &apiError{status: http.StatusServiceUnavailable, name: "ServiceException", message: "the endpoint is closing"}
	}
	if in.Role == nil || in.Runtime == nil || in.Handler == nil {
		return invalidParameter("Runtime, Role and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if len(in.Architectures) > 0 {
		c.config.Architectures = in.Architectures
	}
	if err := s.apply(c, &in); err != nil {
		return err
	}
	b, err := s.pack(c)
	if err != nil {
		return err
	}
	err = s.service.Register(name, b, faas.Settings{Timeout: time.Duration(c.config.Timeout) * time.Second})
	if err != nil {
		_ = b.Close() // it runs nothing
		if errorOf(err).status == http.StatusConflict {
			return conflict("Function already exist: " + name)
		}
		return err
	}
	s.functions[name] = c
	s.alive.Go(func() {
		err := b.unpack()
		s.mu.Lock()
		defer s.mu.Unlock()
		c.config.settle(err)
	})
	reply(w, http.StatusCreated, &c.config)
	return nil
}

// describe sets what follows from the code.
func (c *configuration) describe(code *archive) {
	c.CodeSha256, c.CodeSize = code.sha256, code.size
	c.touch()
}

// touch gives a configuration a new revision.
func (c *configuration) touch() {
	c.RevisionID = uuid.NewString()
	c.LastModified = time.Now().UTC().Format("2006-01-02T15:04:05.000-0700")
}

// settle ends the making or an update of a function.
func (c *configuration) settle(err error) {
	c.touch()
	c.UpdateReason, c.UpdateReasonCode, c.LastUpdateStatus = "", "", "Successful"
	if err != nil {
		c.UpdateReason, c.UpdateReasonCode, c.LastUpdateStatus = err.Error(), "InvalidZipFileException", "Failed"
	}
	switch {
	case c.State == "Pending" && err != nil:
		c.State, c.StateReason, c.StateReasonCode = "Failed", err.Error(), "InvalidZipFileException"
	case c.State == "Pending":
		c.State, c.StateReason, c.StateReasonCode = "Active", "", ""
	}
}

// check refuses what this endpoint cannot run.
func (c *codeSource) check() error {
	switch {
	case c.S3Bucket != "" || c.S3Key != "":
		return invalidParameter("this endpoint has no S3: send the code as ZipFile")
	case c.ImageURI != "":
		return invalidParameter("this endpoint runs no images: send the code as ZipFile")
	case len(c.ZipFile) == 0:
		return invalidParameter("Please provide a source for function code.")
	case len(c.ZipFile) > zipBytes:
		return &apiError{status: http.StatusRequestEntityTooLarge, name: "RequestTooLargeException",
			message: fmt.Sprintf("Request must be smaller than %d bytes for the CreateFunction operation", zipBytes)}
	}
	return checkZip(c.ZipFile)
}

// apply checks what is wanted and makes it the configuration. The caller holds mu.
func (s *Server) apply(f *created, in *wanted) error {
	c := &f.config
	if in.Role != nil {
		if !roleARN.MatchString(*in.Role) {
			return invalidParameter(fmt.Sprintf("1 validation error detected: Value '%s' at 'role' failed to satisfy constraint: "+
				"Member must satisfy regular expression pattern: %s", *in.Role, roleARN))
		}
		if s.cfg.Role != nil && !s.cfg.Role(*in.Role) {
			return invalidParameter("The role defined for the function cannot be assumed by Lambda.")
		}
		c.Role = *in.Role
	}
	if in.Runtime != nil {
		if !runtimeName.MatchString(*in.Runtime) {
			return invalidParameter(fmt.Sprintf("Value %s at 'runtime' failed to satisfy constraint: this endpoint has the runtimes "+
				"python3.*, nodejs*.x, provided.al2 and provided.al2023", *in.Runtime))
		}
		c.Runtime = *in.Runtime
	}
	if n := in.Timeout; n != nil {
		if *n < 1 || *n > mostTimeout {
			return outOfRange("timeout", *n, 1, mostTimeout)
		}
		c.Timeout = *n
	}
	if n := in.MemorySize; n != nil {
		if *n < leastMemory || *n > mostMemory {
			return outOfRange("memorySize", *n, leastMemory, mostMemory)
		}
		c.MemorySize = *n
	}
	if in.Handler != nil {
		c.Handler = *in.Handler
	}
	if in.Description != nil {
		c.Description = *in.Description
	}
	if err := checkEnvironment(in.Environment); err != nil {
		return err
	}
	if in.Environment != nil {
		c.Environment = in.Environment
	}
	return s.applyLayers(f, in.Layers)
}

func checkEnvironment(e *environment) error {
	if e == nil {
		return nil
	}
	size := 0
	for name, value := range e.Variables {
		size += len(name) + len(value)
		switch {
		case !variableName.MatchString(name):
			return invalidParameter(fmt.Sprintf("1 validation error detected: the environment variable '%s' must match %s", name, variableName))
		case strings.HasPrefix(name, "AWS_LAMBDA_") && name != execWrapper:
			return invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have provided " +
				"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: " + name)
		}
	}
	if size > environmentBytes {
		return invalidParameter(fmt.Sprintf("Lambda was unable to configure your environment variables because the environment variables "+
			"you have provided exceeded the 4KB limit. They have %d bytes", size))
	}
	return nil
}

// applyLayers makes layers those of a function. The caller holds mu.
func (s *Server) applyLayers(f *created, arns *[]string) error {
	if arns == nil {
		return nil
	}
	if len(*arns) > mostLayers {
		return invalidParameter(fmt.Sprintf("Cannot reference more than %d layers.", mostLayers))
	}
	f.layers, f.config.Layers = nil, nil
	for _, arn := range *arns {
		v := s.layerVersion(arn)
		if v == nil {
			return invalidParameter("Layer version " + arn + " does not exist.")
		}
		f.layers = append(f.layers, v)
		f.config.Layers = append(f.config.Layers, layerInUse{arn, v.code.size})
	}
	return nil
}

// find returns a function that was created here. The caller holds mu.
func (s *Server) find(name string) (*created, error) {
	if c := s.functions[name]; c != nil {
		return c, nil
	}
	return nil, notFound("Function not found: " + s.service.ARN(name))
}

// described is the configuration of any function: of one that was registered in the faas, what is known. The caller
// holds mu.
func (s *Server) described(name string) (configuration, error) {
	if c := s.functions[name]; c != nil {
		return c.config, nil
	}
	settings, err := s.service.Settings(name)
	if err != nil {
		return configuration{}, notFound("Function not found: " + s.service.ARN(name))
	}
	return configuration{
		FunctionName: name, FunctionArn: s.service.ARN(name), Version: faas.Version, State: "Active", LastUpdateStatus: "Successful",
		Description: "registered in process", PackageType: "Zip", Timeout: int(settings.Timeout / time.Second), MemorySize: leastMemory,
	}, nil
}

// getFunction is GetFunction. The code cannot be fetched.
func (s *Server) getFunction(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.described(name)
	if err != nil {
		return err
	}
	out := map[string]any{"Configuration": &c, "Code": map[string]string{"RepositoryType": "S3"}}
	if f := s.functions[name]; f != nil && len(f.tags) > 0 {
		out["Tags"] = f.tags
	}
	if settings, err := s.service.Settings(name); err == nil && settings.Reserved != nil {
		out["Concurrency"] = map[string]int{"ReservedConcurrentExecutions": *settings.Reserved}
	}
	reply(w, http.StatusOK, out)
	return nil
}

// getConfiguration is GetFunctionConfiguration.
func (s *Server) getConfiguration(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.described(name)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, &c)
	return nil
}

// listFunctions is ListFunctions.
func (s *Server) listFunctions(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []configuration
	for _, name := range s.service.Functions() {
		if c, err := s.described(name); err == nil {
			all = append(all, c)
		}
	}
	return listed(w, r, "Functions", all)
}

// deleteFunction is DeleteFunction.
func (s *Server) deleteFunction(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.service.Remove(name); err != nil {
		return err
	}
	delete(s.functions, name)
	delete(s.invokes, name)
	delete(s.recursion, name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ready returns a function that may be changed. The caller holds mu.
func (s *Server) ready(name, revision string) (*created, error) {
	c, err := s.find(name)
	switch {
	case err != nil:
		return nil, err
	case c.config.State == "Pending":
		return nil, conflict("The operation cannot be performed at this time. The function is currently in the following state: Pending")
	case c.config.LastUpdateStatus == "InProgress":
		return nil, conflict("The operation cannot be performed at this time. An update is in progress for resource: " + c.config.FunctionArn)
	case revision != "" && revision != c.config.RevisionID:
		return nil, &apiError{status: http.StatusPreconditionFailed, name: "PreconditionFailedException",
			message: "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
	}
	return c, nil
}

// updateConfiguration is UpdateFunctionConfiguration.
func (s *Server) updateConfiguration(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	var in wanted
	if err := read(r, "UpdateFunctionConfiguration", requestBytes, &in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.ready(name, in.RevisionID)
	if err != nil {
		return err
	}
	next := *c
	if err := s.apply(&next, &in); err != nil {
		return err
	}
	return s.update(w, c, next)
}

// updateCode is UpdateFunctionCode.
func (s *Server) updateCode(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	var in codeSource
	if err := read(r, "UpdateFunctionCode", codeRequestBytes, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	code, err := newArchive(s.cfg.Dir, in.ZipFile)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.ready(name, in.RevisionID)
	if err != nil {
		return err
	}
	next := *c
	next.code = code
	next.config.describe(code)
	if len(in.Architectures) > 0 {
		next.config.Architectures = in.Architectures
	}
	if in.DryRun {
		reply(w, http.StatusOK, &next.config)
		return nil
	}
	return s.update(w, c, next)
}

// update has next take the place of a function's configuration and code, which runs until that is unpacked. The caller
// holds mu.
func (s *Server) update(w http.ResponseWriter, c *created, next created) error {
	if s.closed {
		return &apiError{status: http.StatusServiceUnavailable, name: "ServiceException", message: "the endpoint is closing"}
	}
	config := &next.config
	config.touch()
	config.LastUpdateStatus, config.UpdateReason, config.UpdateReasonCode = "InProgress", "The function is being created.", "Creating"
	b, err := s.pack(&next)
	if err != nil {
		return err
	}
	was := *c
	*c = next
	s.alive.Go(func() {
		err := b.unpack()
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			err = s.swap(c, b)
		}
		if err != nil {
			_ = b.Close() // it runs nothing
			*c = was
		}
		c.config.settle(err)
	})
	reply(w, http.StatusOK, config)
	return nil
}

// swap has the faas run other code. The caller holds mu.
func (s *Server) swap(c *created, code *bundle) error {
	name := c.config.FunctionName
	if s.functions[name] != c {
		return notFound("the function was deleted meanwhile")
	}
	err := s.service.Configure(name, func(settings *faas.Settings) { settings.Timeout = time.Duration(c.config.Timeout) * time.Second })
	if err != nil {
		return err
	}
	return s.service.Replace(name, code)
}

// tagged returns the tags of the resource that a request is about. The caller holds mu.
func (s *Server) tagged(r *http.Request) (map[string]string, error) {
	c, err := s.find(function.NameOf(r.PathValue("name")))
	if err != nil {
		return nil, err
	}
	if c.tags == nil {
		c.tags = map[string]string{}
	}
	return c.tags, nil
}

// tag is TagResource, for functions.
func (s *Server) tag(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Tags map[string]string }
	if err := read(r, "TagResource", requestBytes, &in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(r)
	if err != nil {
		return err
	}
	maps.Copy(tags, in.Tags)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// untag is UntagResource.
func (s *Server) untag(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(r)
	if err != nil {
		return err
	}
	names := r.URL.Query()["tagKeys"]
	maps.DeleteFunc(tags, func(name, _ string) bool { return slices.Contains(names, name) })
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// listTags is ListTags.
func (s *Server) listTags(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.tagged(r)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]any{"Tags": tags})
	return nil
}
