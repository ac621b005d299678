// Package iamapi is as much of AWS IAM's query API as deploying functions needs: roles, their inline and attached
// policies, tags, and GetCallerIdentity of STS. It keeps what it is told and enforces nothing.
//
//	roles := iamapi.New(iamapi.Config{})
//	err := http.Serve(listener, roles)
//
// Signatures are not looked at: serve it on a loopback address.
//
// Source: AWS, IAM API Reference.
package iamapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// formBytes bounds a request.
	formBytes = 1 << 20
	// policyBytes bounds a policy document (IAM: 10,240 for all inline policies of a role).
	policyBytes = 10_240
)

// Config is what a Server is made from.
type Config struct {
	// Account is in the ARNs of roles. "": 123456789012.
	Account string
}

// Server is roles and the requests to them. It is safe for concurrent use.
type Server struct {
	account string

	mu    sync.Mutex
	roles map[string]*role
}

// role is a role. Its fields belong to Server.mu.
type role struct {
	name, path, id, arn  string
	description, trusted string
	made                 time.Time
	session              string // MaxSessionDuration
	tags                 map[string]string
	policies             map[string]string // inline, by name
	attached             map[string]bool   // by ARN
}

// New returns a Server without roles.
func New(cfg Config) *Server {
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	return &Server{account: cfg.Account, roles: map[string]*role{}}
}

// Has reports whether there is a role with an ARN.
func (s *Server) Has(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.roles {
		if r.arn == arn {
			return true
		}
	}
	return false
}

// apiError is an error in IAM's words.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func noEntity(format string, args ...any) *apiError {
	return &apiError{http.StatusNotFound, "NoSuchEntity", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("X-Amzn-RequestId", id)
	w.Header().Set("Content-Type", "text/xml")
	r.Body = http.MaxBytesReader(w, r.Body, formBytes)
	if r.ParseForm() != nil {
		refuse(w, id, &apiError{http.StatusBadRequest, "MalformedInput", "the request is no form of at most 1 MiB"})
		return
	}
	action := r.PostForm.Get("Action")
	out, err := s.act(action, r.PostForm)
	if err != nil {
		refuse(w, id, err)
		return
	}
	parts := []node{{"ResponseMetadata", []node{{"RequestId", id}}}}
	if out.value != nil {
		parts = append([]node{{action + "Result", out.value}}, parts...)
	}
	_, _ = w.Write(node{action + "Response", parts}.append(nil)) // a client that is gone needs none
}

// refuse answers an error.
func refuse(w http.ResponseWriter, id string, e *apiError) {
	w.WriteHeader(e.status)
	what := []node{{"Type", "Sender"}, {"Code", e.code}, {"Message", e.message}}
	_, _ = w.Write(node{"ErrorResponse", []node{{"Error", what}, {"RequestId", id}}}.append(nil))
}

// act carries out an action. Of what it returns the value is used.
func (s *Server) act(action string, in url.Values) (node, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch action {
	case "GetCallerIdentity":
		return node{"", []node{{"Account", s.account}, {"Arn", "arn:aws:iam::" + s.account + ":user/local"}, {"UserId", "AIDALOCAL"}}}, nil
	case "CreateRole":
		return s.createRole(in)
	case "ListRoles":
		return s.listRoles(in), nil
	}
	r := s.roles[in.Get("RoleName")]
	if r == nil {
		return node{}, noEntity("The role with name %s cannot be found.", in.Get("RoleName"))
	}
	if out, err, ok := s.ofRole(action, r, in); ok {
		return out, err
	}
	if out, err, ok := r.ofPolicies(action, in); ok {
		return out, err
	}
	return node{}, &apiError{http.StatusBadRequest, "InvalidAction", "this endpoint has no action " + action}
}

// ofRole carries out what is about a role itself; ok is false for other actions.
func (s *Server) ofRole(action string, r *role, in url.Values) (out node, err *apiError, ok bool) {
	switch action {
	case "GetRole":
		return node{"", []node{r.describe(true)}}, nil, true
	case "UpdateRole":
		r.description = in.Get("Description")
		r.session = orDefault(in.Get("MaxSessionDuration"), r.session)
		return node{"", []node{}}, nil, true
	case "UpdateAssumeRolePolicy":
		if err = checkPolicy(in.Get("PolicyDocument")); err == nil {
			r.trusted = in.Get("PolicyDocument")
		}
		return node{}, err, true
	case "DeleteRole":
		switch {
		case len(r.attached) > 0:
			err = &apiError{http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first."}
		case len(r.policies) > 0:
			err = &apiError{http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first."}
		default:
			delete(s.roles, r.name)
		}
		return node{}, err, true
	case "TagRole":
		maps.Copy(r.tags, tagsOf(in))
		return node{}, nil, true
	case "UntagRole":
		for _, key := range members(in, "TagKeys") {
			delete(r.tags, key)
		}
		return node{}, nil, true
	case "ListRoleTags":
		return node{"", []node{tagList(r.tags), {"IsTruncated", "false"}}}, nil, true
	case "ListInstanceProfilesForRole":
		return node{"", []node{{"InstanceProfiles", []node{}}, {"IsTruncated", "false"}}}, nil, true
	}
	return node{}, nil, false
}

// ofPolicies carries out what is about the policies of a role; ok is false for other actions.
func (r *role) ofPolicies(action string, in url.Values) (out node, err *apiError, ok bool) {
	name, arn := in.Get("PolicyName"), in.Get("PolicyArn")
	switch action {
	case "PutRolePolicy":
		if err = checkPolicy(in.Get("PolicyDocument")); err == nil && name == "" {
			err = invalid("PolicyName is needed")
		}
		if err == nil {
			r.policies[name] = in.Get("PolicyDocument")
		}
		return node{}, err, true
	case "GetRolePolicy", "DeleteRolePolicy":
		document, found := r.policies[name]
		if !found {
			return node{}, noEntity("The role policy with name %s cannot be found.", name), true
		}
		if action == "DeleteRolePolicy" {
			delete(r.policies, name)
			return node{}, nil, true
		}
		return node{"", []node{{"RoleName", r.name}, {"PolicyName", name}, {"PolicyDocument", escape(document)}}}, nil, true
	case "ListRolePolicies":
		return node{"", []node{list("PolicyNames", slices.Sorted(maps.Keys(r.policies)), text), {"IsTruncated", "false"}}}, nil, true
	case "AttachRolePolicy":
		if !strings.HasPrefix(arn, "arn:aws") {
			return node{}, invalid("ARN %s is not valid.", arn), true
		}
		r.attached[arn] = true
		return node{}, nil, true
	case "DetachRolePolicy":
		if !r.attached[arn] {
			return node{}, noEntity("Policy %s was not found.", arn), true
		}
		delete(r.attached, arn)
		return node{}, nil, true
	case "ListAttachedRolePolicies":
		return node{"", []node{list("AttachedPolicies", slices.Sorted(maps.Keys(r.attached)), func(arn string) node {
			return node{"member", []node{{"PolicyName", arn[strings.LastIndex(arn, "/")+1:]}, {"PolicyArn", arn}}}
		}), {"IsTruncated", "false"}}}, nil, true
	}
	return node{}, nil, false
}

var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

func (s *Server) createRole(in url.Values) (node, *apiError) {
	name := in.Get("RoleName")
	if !roleName.MatchString(name) {
		return node{}, invalid("The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	if s.roles[name] != nil {
		return node{}, &apiError{http.StatusConflict, "EntityAlreadyExists", "Role with name " + name + " already exists."}
	}
	if err := checkPolicy(in.Get("AssumeRolePolicyDocument")); err != nil {
		return node{}, err
	}
	r := &role{
		name: name, path: orDefault(in.Get("Path"), "/"), id: "AROA" + strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", ""))[:17],
		description: in.Get("Description"), trusted: in.Get("AssumeRolePolicyDocument"), made: time.Now().UTC(),
		session: orDefault(in.Get("MaxSessionDuration"), "3600"), tags: tagsOf(in), policies: map[string]string{}, attached: map[string]bool{},
	}
	r.arn = "arn:aws:iam::" + s.account + ":role" + r.path + name
	s.roles[name] = r
	return node{"", []node{r.describe(true)}}, nil
}

// listRoles is ListRoles, in one page.
func (s *Server) listRoles(in url.Values) node {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.roles)) {
		if strings.HasPrefix(s.roles[name].path, orDefault(in.Get("PathPrefix"), "/")) {
			names = append(names, name)
		}
	}
	return node{"", []node{list("Roles", names, func(name string) node {
		return node{"member", s.roles[name].describe(false).value}
	}), {"IsTruncated", "false"}}}
}

// describe is what is told of a role.
func (r *role) describe(tags bool) node {
	fields := []node{
		{"Path", r.path}, {"RoleName", r.name}, {"RoleId", r.id}, {"Arn", r.arn}, {"CreateDate", r.made.Format(time.RFC3339)},
		{"AssumeRolePolicyDocument", escape(r.trusted)}, {"Description", r.description}, {"MaxSessionDuration", r.session},
	}
	if tags && len(r.tags) > 0 {
		fields = append(fields, tagList(r.tags))
	}
	return node{"Role", fields}
}

func orDefault(v, d string) string {
	if v == "" {
		return d
	}
	return v
}

// checkPolicy refuses documents that are no policies.
func checkPolicy(document string) *apiError {
	var policy struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(document), &policy) != nil || policy.Statement == nil {
		return &apiError{http.StatusBadRequest, "MalformedPolicyDocument", "Syntax errors in policy."}
	}
	if len(document) > policyBytes {
		return &apiError{http.StatusConflict, "LimitExceeded", fmt.Sprintf("Maximum policy size of %d bytes exceeded", policyBytes)}
	}
	return nil
}

// escape is how IAM answers documents: percent-encoded as RFC 3986 has it.
func escape(document string) string { return strings.ReplaceAll(url.QueryEscape(document), "+", "%20") }

// members are the texts of a list in a request.
func members(in url.Values, name string) (all []string) {
	for i := 1; in.Has(name + ".member." + strconv.Itoa(i)); i++ {
		all = append(all, in.Get(name+".member."+strconv.Itoa(i)))
	}
	return all
}

// tagsOf are the tags of a request.
func tagsOf(in url.Values) map[string]string {
	tags := map[string]string{}
	for i := 1; in.Has("Tags.member." + strconv.Itoa(i) + ".Key"); i++ {
		tags[in.Get("Tags.member."+strconv.Itoa(i)+".Key")] = in.Get("Tags.member." + strconv.Itoa(i) + ".Value")
	}
	return tags
}

func tagList(tags map[string]string) node {
	return list("Tags", slices.Sorted(maps.Keys(tags)), func(key string) node {
		return node{"member", []node{{"Key", key}, {"Value", tags[key]}}}
	})
}
