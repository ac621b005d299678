package gcfapi

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// function is a function with what it was built from.
type function struct {
	proto   *functionspb.Function
	archive []byte
}

var (
	locationName = regexp.MustCompile(`^projects/[^/]+/locations/[^/]+$`)
	functionID   = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	runtimeID    = regexp.MustCompile(`^(go|python|nodejs|java|ruby|php|dotnet)\d+$`)
	memorySize   = regexp.MustCompile(`^\d+(\.\d+)?(k|M|G|Ki|Mi|Gi)?$`)
	reserved     = regexp.MustCompile(`^(X_GOOGLE_.*|FUNCTION_TARGET|FUNCTION_SIGNATURE_TYPE|K_SERVICE|K_REVISION|K_CONFIGURATION|PORT)$`)
)

// checkFunction completes a function and returns what Google would not take of it.
func checkFunction(f *functionspb.Function) error {
	if f.ServiceConfig == nil {
		f.ServiceConfig = &functionspb.ServiceConfig{}
	}
	service, build := f.GetServiceConfig(), f.GetBuildConfig()
	if service.GetTimeoutSeconds() == 0 {
		service.TimeoutSeconds = 60
	}
	if service.GetAvailableMemory() == "" {
		service.AvailableMemory = "256M"
	}
	if service.GetIngressSettings() == functionspb.ServiceConfig_INGRESS_SETTINGS_UNSPECIFIED {
		service.IngressSettings = functionspb.ServiceConfig_ALLOW_ALL
	}
	if service.GetMaxInstanceRequestConcurrency() == 0 {
		service.MaxInstanceRequestConcurrency = 1
	}
	f.Environment = functionspb.Environment_GEN_2
	switch {
	case !runtimeID.MatchString(build.GetRuntime()):
		return invalid("Invalid runtime %q.", build.GetRuntime())
	case build.GetEntryPoint() == "":
		return invalid("build_config.entry_point is required.")
	case service.GetTimeoutSeconds() < 1 || service.GetTimeoutSeconds() > 3600:
		return invalid("timeout_seconds must be between 1 and 3600.")
	case !memorySize.MatchString(service.GetAvailableMemory()):
		return invalid("Invalid available_memory %q.", service.GetAvailableMemory())
	}
	for name := range service.GetEnvironmentVariables() {
		if name == "" || reserved.MatchString(name) {
			return invalid("Environment variable name %q is reserved by the system: it cannot be set by users.", name)
		}
	}
	return nil
}

type functionService struct {
	functionspb.UnimplementedFunctionServiceServer
	server *Server
}

// GenerateUploadUrl makes a place for a source.
func (s *functionService) GenerateUploadUrl(_ context.Context, req *functionspb.GenerateUploadUrlRequest) (*functionspb.GenerateUploadUrlResponse, error) {
	if !locationName.MatchString(req.GetParent()) {
		return nil, invalid("Invalid parent %q.", req.GetParent())
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.place(), nil
}

// GetFunction returns a function.
func (s *functionService) GetFunction(_ context.Context, req *functionspb.GetFunctionRequest) (*functionspb.Function, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	f := s.server.functions[req.GetName()]
	if f == nil {
		return nil, missing("Resource", req.GetName())
	}
	return proto.CloneOf(f.proto), nil
}

// ListFunctions returns the functions of a location, "-" for all, on one page.
func (s *functionService) ListFunctions(_ context.Context, req *functionspb.ListFunctionsRequest) (*functionspb.ListFunctionsResponse, error) {
	if !locationName.MatchString(req.GetParent()) {
		return nil, invalid("Invalid parent %q.", req.GetParent())
	}
	prefix := strings.TrimSuffix(req.GetParent(), "-")
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	out := &functionspb.ListFunctionsResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.server.functions)) {
		if above(name) == req.GetParent() || prefix != req.GetParent() && strings.HasPrefix(name, prefix) {
			out.Functions = append(out.Functions, proto.CloneOf(s.server.functions[name].proto))
		}
	}
	return out, nil
}

// CreateFunction makes a function.
func (s *functionService) CreateFunction(_ context.Context, req *functionspb.CreateFunctionRequest) (*longrunningpb.Operation, error) {
	made := proto.CloneOf(req.GetFunction())
	if made == nil || !locationName.MatchString(req.GetParent()) || !functionID.MatchString(req.GetFunctionId()) {
		return nil, invalid("Invalid function id %q in %q: it has at most 63 lower-case letters, digits and hyphens.", req.GetFunctionId(), req.GetParent())
	}
	made.Name = req.GetParent() + "/functions/" + req.GetFunctionId()
	if err := checkFunction(made); err != nil {
		return nil, err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.functions[made.GetName()] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Function %s already exists", made.GetName())
	}
	archive, err := s.server.archive(made.GetBuildConfig().GetSource())
	if err != nil {
		return nil, err
	}
	made.CreateTime = timestamppb.Now()
	made.State = functionspb.Function_DEPLOYING
	f := &function{proto: made}
	op, err := s.server.begin(req.GetParent(), made.GetName(), metadata(made.GetName(), "create"), func() (proto.Message, error) {
		return s.server.build(f, made, archive)
	})
	if err != nil {
		return nil, err
	}
	s.server.functions[made.GetName()] = f
	return op, nil
}

func metadata(target, verb string) proto.Message {
	return &functionspb.OperationMetadata{CreateTime: timestamppb.Now(), Target: target, Verb: verb, ApiVersion: "v2"}
}

// build makes next what f is, if it can be built from its source. s.mu is held.
func (s *Server) build(f *function, next *functionspb.Function, archive []byte) (proto.Message, error) {
	err := checkArchive(archive)
	parts := strings.Split(next.GetName(), "/")
	uri := fmt.Sprintf("https://%s-weft-uc.a.run.app", parts[5])
	if err == nil && s.config.Serve != nil {
		if uri, err = s.config.Serve(proto.CloneOf(next), archive); err != nil {
			err = status.Errorf(codes.InvalidArgument, "Build failed: %v", err)
		}
	}
	if err != nil {
		f.proto.State = functionspb.Function_FAILED
		f.proto.StateMessages = []*functionspb.StateMessage{{Severity: functionspb.StateMessage_ERROR, Type: "CloudRunServiceBuildFailed", Message: status.Convert(err).Message()}}
		return nil, err
	}
	next.State, next.StateMessages = functionspb.Function_ACTIVE, nil
	next.UpdateTime = timestamppb.Now()
	next.Url = fmt.Sprintf("https://%s-%s.cloudfunctions.net/%s", parts[3], parts[1], parts[5])
	next.ServiceConfig.Uri = uri
	next.ServiceConfig.Service = fmt.Sprintf("projects/%s/locations/%s/services/%s", parts[1], parts[3], parts[5])
	next.ServiceConfig.Revision = fmt.Sprintf("%s-%05d", parts[5], s.next())
	next.BuildConfig.SourceProvenance = &functionspb.SourceProvenance{ResolvedStorageSource: next.GetBuildConfig().GetSource().GetStorageSource()}
	f.proto, f.archive = next, archive
	return proto.CloneOf(next), nil
}

// UpdateFunction changes what the mask names, or without one what is set.
func (s *functionService) UpdateFunction(_ context.Context, req *functionspb.UpdateFunctionRequest) (*longrunningpb.Operation, error) {
	name := req.GetFunction().GetName()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	f := s.server.functions[name]
	if f == nil {
		return nil, missing("Resource", name)
	}
	next := proto.CloneOf(f.proto)
	paths := req.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		req.GetFunction().ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			paths = append(paths, string(fd.Name()))
			return true
		})
	}
	for _, path := range paths {
		if err := replace(next.ProtoReflect(), proto.CloneOf(req.GetFunction()).ProtoReflect(), path); err != nil {
			return nil, err
		}
	}
	if err := checkFunction(next); err != nil {
		return nil, err
	}
	archive, err := s.server.archive(next.GetBuildConfig().GetSource())
	if err != nil {
		return nil, err
	}
	op, err := s.server.begin(above(name), name, metadata(name, "update"), func() (proto.Message, error) {
		return s.server.build(f, next, archive)
	})
	if err == nil && !op.GetDone() {
		f.proto.State = functionspb.Function_DEPLOYING
	}
	return op, err
}

// replace copies the field at a path of a mask.
func replace(to, from protoreflect.Message, path string) error {
	head, rest, deeper := strings.Cut(path, ".")
	fd := to.Descriptor().Fields().ByName(protoreflect.Name(head))
	switch {
	case fd == nil || deeper && (fd.Message() == nil || fd.IsList() || fd.IsMap()):
		return invalid("Invalid update mask: there is no field %q.", path)
	case deeper:
		return replace(to.Mutable(fd).Message(), from.Mutable(fd).Message(), rest)
	case from.Has(fd):
		to.Set(fd, from.Get(fd))
	default:
		to.Clear(fd)
	}
	return nil
}

// DeleteFunction removes a function and its policy.
func (s *functionService) DeleteFunction(_ context.Context, req *functionspb.DeleteFunctionRequest) (*longrunningpb.Operation, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	f := s.server.functions[req.GetName()]
	if f == nil {
		return nil, missing("Resource", req.GetName())
	}
	return s.server.begin(above(req.GetName()), req.GetName(), metadata(req.GetName(), "delete"), func() (proto.Message, error) {
		delete(s.server.functions, req.GetName())
		delete(s.server.policies, req.GetName())
		delete(s.server.policies, strings.Replace(req.GetName(), "/functions/", "/services/", 1))
		if s.server.config.Stop != nil {
			s.server.config.Stop(req.GetName())
		}
		return &emptypb.Empty{}, nil
	})
}

// Archive returns the source that a function was built from, a zip archive; nil if there is no such function.
func (s *Server) Archive(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.functions[name]; f != nil {
		return slices.Clone(f.archive)
	}
	return nil
}
