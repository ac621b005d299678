package gcfapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// policy returns the policy of a resource, an empty one if it has none. s.mu is held.
func (s *Server) policy(resource string) *iampb.Policy {
	p := s.policies[resource]
	if p == nil {
		p = &iampb.Policy{Version: 1, Etag: []byte("0")}
		s.policies[resource] = p
	}
	return p
}

// setPolicy replaces the policy of a resource, if nobody else has since it was read. s.mu is held.
func (s *Server) setPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error) {
	cur := s.policy(resource)
	if len(p.GetEtag()) > 0 && string(p.GetEtag()) != string(cur.GetEtag()) {
		return nil, status.Error(codes.Aborted, "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.")
	}
	for _, b := range p.GetBindings() {
		if b.GetCondition() != nil && p.GetVersion() != 3 {
			return nil, invalid("Conditional role bindings require policy version 3.")
		}
		if !strings.HasPrefix(b.GetRole(), "roles/") && !strings.Contains(b.GetRole(), "/roles/") {
			return nil, invalid("Role %q is not supported for this resource.", b.GetRole())
		}
		for _, member := range b.GetMembers() {
			email, account := strings.CutPrefix(member, "serviceAccount:")
			if account && strings.HasSuffix(email, accountDomain) && s.accounts[email] == nil {
				return nil, invalid("Service account %s does not exist.", email)
			}
		}
	}
	next := proto.CloneOf(p)
	next.Etag = fmt.Append(nil, s.next())
	s.policies[resource] = next
	return proto.CloneOf(next), nil
}

// exists reports whether there is a resource that has a policy. s.mu is held.
func (s *Server) exists(resource string) error {
	switch {
	case strings.Contains(resource, "/functions/") && s.functions[resource] == nil,
		strings.Contains(resource, "/services/") && s.functions[strings.Replace(resource, "/services/", "/functions/", 1)] == nil,
		strings.Contains(resource, "/serviceAccounts/") && s.accounts[last(resource)] == nil:
		return missing("Resource", resource)
	}
	return nil
}

func (s *Server) getIamPolicy(resource string) (*iampb.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.exists(resource); err != nil {
		return nil, err
	}
	return proto.CloneOf(s.policy(resource)), nil
}

func (s *Server) setIamPolicy(resource string, p *iampb.Policy) (*iampb.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.exists(resource); err != nil {
		return nil, err
	}
	return s.setPolicy(resource, p)
}

// policyService is the IAM policies of functions.
type policyService struct {
	iampb.UnimplementedIAMPolicyServer
	server *Server
}

// GetIamPolicy returns the policy of a function.
func (s *policyService) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.server.getIamPolicy(req.GetResource())
}

// SetIamPolicy replaces the policy of a function.
func (s *policyService) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.server.setIamPolicy(req.GetResource(), req.GetPolicy())
}

// project answers getIamPolicy and setIamPolicy of projects as the Resource Manager API does.
func (s *Server) project(w http.ResponseWriter, r *http.Request) {
	id, method, _ := strings.Cut(r.PathValue("call"), ":")
	s.restPolicy(w, r, "projects/"+id, method)
}

// service answers getIamPolicy and setIamPolicy of the service of Cloud Run that a function is.
func (s *Server) service(w http.ResponseWriter, r *http.Request) {
	name, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), ":")
	s.restPolicy(w, r, name, method)
}

func (s *Server) restPolicy(w http.ResponseWriter, r *http.Request, resource, method string) {
	var policy *iampb.Policy
	var err error
	switch method {
	case "getIamPolicy":
		policy, err = s.getIamPolicy(resource)
	case "setIamPolicy":
		req := &iampb.SetIamPolicyRequest{}
		var body []byte
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20)); err == nil {
			err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, req)
		}
		if err != nil {
			err = invalid("Invalid JSON payload received. %v", err)
		} else {
			policy, err = s.setIamPolicy(resource, req.GetPolicy())
		}
	default:
		err = missing("Method", method)
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		st := status.Convert(err)
		code := map[codes.Code]int{codes.InvalidArgument: 400, codes.NotFound: 404, codes.Aborted: 409}[st.Code()]
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": st.Message()}})
		return
	}
	b, err := protojson.Marshal(policy)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(b)
}

// accountDomain ends the e-mail of a service account of a project.
const accountDomain = ".iam.gserviceaccount.com"

var accountID = regexp.MustCompile(`^[a-z]([a-z0-9-]{4,28}[a-z0-9])$`)

// accountService is service accounts and their policies.
type accountService struct {
	iamadminpb.UnimplementedIAMServer
	server *Server
}

// CreateServiceAccount makes an account.
func (s *accountService) CreateServiceAccount(_ context.Context, req *iamadminpb.CreateServiceAccountRequest) (*iamadminpb.ServiceAccount, error) {
	project, ok := strings.CutPrefix(req.GetName(), "projects/")
	if !ok || !accountID.MatchString(req.GetAccountId()) {
		return nil, invalid("Account id %q in %q: it has 6 to 30 lower-case letters, digits and hyphens.", req.GetAccountId(), req.GetName())
	}
	email := req.GetAccountId() + "@" + project + accountDomain
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.accounts[email] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Service account %s already exists within project %s.", req.GetAccountId(), req.GetName())
	}
	a := proto.CloneOf(req.GetServiceAccount())
	if a == nil {
		a = &iamadminpb.ServiceAccount{}
	}
	a.Name, a.Email, a.ProjectId, a.UniqueId = req.GetName()+"/serviceAccounts/"+email, email, project, fmt.Sprintf("1%020d", s.server.next())
	s.server.accounts[email] = a
	return proto.CloneOf(a), nil
}

// GetServiceAccount returns an account by its e-mail.
func (s *accountService) GetServiceAccount(_ context.Context, req *iamadminpb.GetServiceAccountRequest) (*iamadminpb.ServiceAccount, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if err := s.server.exists(req.GetName()); err != nil {
		return nil, err
	}
	return proto.CloneOf(s.server.accounts[last(req.GetName())]), nil
}

// DeleteServiceAccount removes an account.
func (s *accountService) DeleteServiceAccount(_ context.Context, req *iamadminpb.DeleteServiceAccountRequest) (*emptypb.Empty, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if err := s.server.exists(req.GetName()); err != nil {
		return nil, err
	}
	delete(s.server.accounts, last(req.GetName()))
	delete(s.server.policies, req.GetName())
	return &emptypb.Empty{}, nil
}

// GetIamPolicy returns who may use an account.
func (s *accountService) GetIamPolicy(_ context.Context, req *iampb.GetIamPolicyRequest) (*iampb.Policy, error) {
	return s.server.getIamPolicy(req.GetResource())
}

// SetIamPolicy says who may use an account.
func (s *accountService) SetIamPolicy(_ context.Context, req *iampb.SetIamPolicyRequest) (*iampb.Policy, error) {
	return s.server.setIamPolicy(req.GetResource(), req.GetPolicy())
}
