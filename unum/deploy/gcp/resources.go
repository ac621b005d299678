package gcp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
	"github.com/weftworks/weft/unum/store/firestore"
)

// What the resources of an application are called within it.
const (
	functionsID deploy.ID = "account/functions"
	tasksID     deploy.ID = "account/tasks"
	databaseID  deploy.ID = "database/records"
	queueID     deploy.ID = "queue/tasks"
)

// Collection is where records are in the database of a deployment, which has nothing else.
const Collection = "weft"

// The roles that accounts get, each on one resource.
const (
	roleRecords = "roles/datastore.user"
	roleEnqueue = "roles/cloudtasks.enqueuer"
	roleActAs   = "roles/iam.serviceAccountUser" // whoever makes a task that calls in an account's name needs it
	roleInvoke  = "roles/run.invoker"
)

// Bounds of Google's.
const (
	nameChars    = 63
	nameLeast    = 4
	accountChars = 30
	hashChars    = 40 // of those that a label may have
	envBytes     = 32 << 10
	// memoryLeast is what Google's framework, the runtime and the language's own take together.
	memoryLeast = 256
)

// Place is where an application is deployed.
type Place struct {
	Project string
	Region  string // of the functions and the queue, and of the database
}

// Build is what is deployed: a build with archives for Google, and its directory.
type Build struct {
	*build.Manifest
	Dir string
}

func (p Place) location() string { return "projects/" + p.Project + "/locations/" + p.Region }

func (p Place) email(id string) string { return id + "@" + p.Project + ".iam.gserviceaccount.com" }

func (p Place) account(email string) string {
	return "projects/" + p.Project + "/serviceAccounts/" + email
}

// database is what the database of a deployment is called. One of its own can be destroyed with all that it has, and what
// may be done there is nobody else's business.
func (p Place) database(deployment string) string {
	return "projects/" + p.Project + "/databases/" + deployment + "-records"
}

// functionID is what Google calls a function. Two that would be called the same are refused.
func functionID(deployment, function string) string {
	name := deployment + "-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(function))
	if name = strings.TrimRight(name, "-"); len(name) < nameLeast {
		name += "-" + hash(function)
	}
	return short(name, function, nameChars)
}

// short keeps a name short, with a hash of what it was made of in the place of what is cut off.
func short(name, of string, most int) string {
	if len(name) <= most {
		return name
	}
	h := hash(of)
	return strings.TrimRight(name[:most-len(h)-1], "-") + "-" + h
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:3])
}

// url is where a function is called. It is known before the function is there, so that each can be told of all.
func (p Place) url(id string) string {
	return fmt.Sprintf("https://%s-%s.cloudfunctions.net/%s", p.Region, p.Project, id)
}

// Queue is the full name of a queue of a deployment.
func (p Place) Queue(deployment, name string) string {
	return p.location() + "/queues/" + deployment + "-" + name
}

// QueueOf returns what the queue of a deployment is called: what it was, or a name that no queue has had. Google keeps the
// name of a queue that was deleted from use for days.
func (p Place) QueueOf(s *deploy.State, deployment string) string {
	prefix := p.Queue(deployment, "")
	for i := range s.Resources {
		if o := &s.Resources[i]; o.ID == queueID && strings.HasPrefix(o.Name, prefix) {
			return o.Name
		}
	}
	return prefix + strings.ToLower(rand.Text()[:8])
}

// Resources returns what an application needs on Google Cloud under the name of a deployment. queue is of QueueOf.
func (p Place) Resources(b *Build, deployment, queue string) ([]deploy.Resource, error) {
	a := &app{Build: b, Place: p, deployment: deployment}
	runsAs := short(deployment+"-functions", deployment, accountChars)
	callsAs := short(deployment+"-tasks", deployment, accountChars)
	list := []deploy.Resource{
		{ID: functionsID, Name: p.account(p.email(runsAs)), Spec: &Account{deployment}},
		{ID: tasksID, Name: p.account(p.email(callsAs)), Spec: &Account{deployment}},
		{ID: databaseID, Name: p.database(deployment), Spec: &Database{Location: p.Region, Collection: Collection, TTL: firestore.TimeToLive}},
		{ID: queueID, Name: queue, Spec: &Queue{
			MaxAttempts: -1, MinBackoffMillis: 1000, MaxBackoffMillis: 60_000, MaxDoublings: 6, PerSecond: 500, Concurrent: 5000,
		}},
		grant("records", roleRecords, functionsID, p.email(runsAs), p.database(deployment), databaseID),
		grant("enqueue", roleEnqueue, functionsID, p.email(runsAs), queue, queueID),
		grant("act", roleActAs, functionsID, p.email(runsAs), p.account(p.email(callsAs)), tasksID),
	}
	functions, err := a.functions()
	if err != nil {
		return nil, err
	}
	list = append(list, functions...)
	for i := range functions {
		_, id := split(functions[i].Name)
		_, name, _ := strings.Cut(string(functions[i].ID), "/")
		list = append(list, grant("invoke-"+name, roleInvoke, tasksID, p.email(callsAs), p.location()+"/services/"+id, functions[i].ID))
	}
	return list, nil
}

// grant gives an account a role on a resource, once both are there.
func grant(id, role string, account deploy.ID, email, resource string, needs deploy.ID) deploy.Resource {
	g := &Grant{Role: role, Account: email, Resource: resource}
	return deploy.Resource{ID: deploy.ID("grant/" + id), Name: g.name(), Spec: g, Needs: []deploy.ID{account, needs}}
}

const (
	grantOn = " on "
	grantTo = " to "
)

// name says all of a grant, so that what is remembered of it is enough to take it back.
func (g *Grant) name() string { return g.Role + grantOn + g.Resource + grantTo + g.Account }

func grantOf(name string) (*Grant, error) {
	role, rest, ok := strings.Cut(name, grantOn)
	resource, account, also := strings.Cut(rest, grantTo)
	if !ok || !also {
		return nil, fault.New("gcp.grant", fault.Corrupt, name, "it is remembered as no grant of ours")
	}
	return &Grant{role, account, resource}, nil
}

// app makes resources of a build.
type app struct {
	*Build
	Place
	deployment string
}

// functions are those of the application, each after all that it uses.
func (a *app) functions() ([]deploy.Resource, error) {
	targets, ids := map[string]string{}, map[string]string{}
	for i := range a.Functions {
		name := a.Functions[i].Name
		id := functionID(a.deployment, name)
		for other, taken := range ids {
			if taken == id {
				return nil, fault.New("gcp.resources", fault.InvalidName, name, "Google would call it %s, as it does %s: rename one of them", id, other)
			}
		}
		ids[name], targets[name] = id, a.url(id)
	}
	text, err := json.Marshal(targets)
	if err != nil {
		return nil, err
	}
	var list []deploy.Resource
	for i := range a.Functions {
		f := &a.Functions[i]
		spec, err := a.function(f, string(text))
		if err != nil {
			return nil, err
		}
		list = append(list, deploy.Resource{
			ID: deploy.ID("function/" + f.Name), Name: a.location() + "/functions/" + ids[f.Name], Spec: spec,
			Needs: []deploy.ID{databaseID, "grant/records", "grant/enqueue", "grant/act"},
		})
	}
	return list, nil
}

func (a *app) function(f *build.Deployed, targets string) (*Function, error) {
	const op = "gcp.resources"
	if f.Google == nil {
		return nil, fault.New(op, fault.InvalidArgument, f.Name, "the application was not built for Google: weft build --google")
	}
	sum := a.Files[f.Google.Archive].SHA256
	if len(sum) < hashChars {
		return nil, fault.New(op, fault.Corrupt, f.Google.Archive, "the manifest of the build does not have it, or not its hash: build again")
	}
	_, database := split(a.database(a.deployment))
	env := map[string]string{
		"WEFT_PROJECT": a.Project, "WEFT_DATABASE": database, "WEFT_COLLECTION": Collection,
		"WEFT_TASKS": deploy.Ref(queueID, "name"), "WEFT_TARGETS": targets, "WEFT_SERVICE_ACCOUNT": deploy.Ref(tasksID, "email"),
		"WEFT_TIMEOUT": strconv.Itoa(f.TimeoutSeconds) + "s",
	}
	if f.Name == a.Entry {
		env["WEFT_ENTRY"] = "true"
		if a.RunTimeoutSeconds > 0 {
			env["WEFT_RUN_TIMEOUT"] = strconv.FormatInt(a.RunTimeoutSeconds, 10) + "s"
		}
	}
	maps.Copy(env, f.Google.Environment)
	size := 0
	for name, value := range env {
		size += len(name) + len(value)
	}
	if size > envBytes {
		return nil, fault.New(op, fault.LimitExceeded, f.Name, "its environment has %d bytes and Google allows %d, most of them for the addresses of %d functions: divide the application", size, envBytes, len(a.Functions))
	}
	return &Function{
		Runtime: f.Google.Runtime, EntryPoint: f.Google.EntryPoint, Account: deploy.Ref(functionsID, "email"),
		MemoryMiB: max(int64(f.MemoryMiB), memoryLeast), Seconds: int32(f.TimeoutSeconds), Env: env,
		Archive: filepath.Join(a.Dir, filepath.FromSlash(f.Google.Archive)), Hash: sum[:hashChars], Owner: a.deployment,
	}, nil
}

// split returns the last part of a resource's name, and what it is in: without the last two.
func split(name string) (parent, id string) {
	parts := strings.Split(name, "/")
	n := len(parts)
	if n < 2 {
		return "", name
	}
	return strings.Join(parts[:n-2], "/"), parts[n-1]
}

// Connection is what somebody needs who starts runs of a deployment, or asks for them.
type Connection struct {
	Project, Database string
	Queue             string
	Account           string            // e-mail of the one that tasks call in the name of
	Targets           map[string]string // URLs of functions, by their names in the application
}

// Connect returns what is remembered of a deployment for those who start runs.
func Connect(s *deploy.State) (*Connection, error) {
	c := &Connection{Queue: s.Attr(queueID, "name"), Account: s.Attr(tasksID, "email"), Database: s.Attr(databaseID, "id"), Project: s.Attr(databaseID, "project"), Targets: map[string]string{}}
	for i := range s.Resources {
		if o := &s.Resources[i]; o.ID.Kind() == "function" && o.Attrs["url"] != "" {
			c.Targets[strings.TrimPrefix(string(o.ID), "function/")] = o.Attrs["url"]
		}
	}
	if slices.Contains([]string{c.Queue, c.Account, c.Database, c.Project}, "") || len(c.Targets) == 0 {
		return nil, fault.New("gcp.connect", fault.ResourceNotFound, s.Name, "the deployment is not complete: deploy it again")
	}
	return c, nil
}
