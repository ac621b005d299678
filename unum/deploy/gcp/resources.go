package gcp

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
)

// Account is a service account.
type Account struct {
	Project string `json:"project"`
}

// Grant gives a service account roles in its project.
type Grant struct {
	Project string   `json:"project"`
	Email   string   `json:"email"`
	Roles   []string `json:"roles"` // sorted
}

// Database is a Firestore database.
type Database struct {
	Location string `json:"location"`
}

// Expiry is the time to live of a field.
type Expiry struct {
	TTL bool `json:"ttl"`
}

// Queue is a queue of Cloud Tasks that tries again without a bound: the runtime gives up itself.
type Queue struct {
	Attempts int32 `json:"attempts"` // -1: any number
}

// Function is a Cloud Run function.
type Function struct {
	Runtime    string            `json:"runtime"`
	EntryPoint string            `json:"entryPoint"`
	Memory     string            `json:"memory"` // "256M"
	Seconds    int32             `json:"seconds"`
	Env        map[string]string `json:"env"`
	Account    string            `json:"account"` // its e-mail
	Archive    string            `json:"archive"` // path of the file
	Hash       string            `json:"hash"`    // of the archive, as much as a label takes
	Owner      string            `json:"owner"`
}

// Place is where an application is deployed.
type Place struct{ Project, Region string }

func (p Place) parent() string { return "projects/" + p.Project + "/locations/" + p.Region }

// What functions may do: read and write records, create tasks, be called by them as this account.
var roles = []string{"roles/cloudtasks.enqueuer", "roles/datastore.user", "roles/iam.serviceAccountUser", "roles/run.invoker"}

const (
	accountID deploy.ID = "account/functions"
	grantID   deploy.ID = "grant/functions"
	queueID   deploy.ID = "queue/requests"

	nameChars    = 63
	accountChars = 30
	hashChars    = 40
)

var goodName = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)

// FunctionName is what Google calls a function of a deployment.
func FunctionName(deployment, function string) string {
	return deployment + "-" + strings.ToLower(strings.ReplaceAll(function, "_", "-"))
}

// QueueName is what Google calls the queue of a deployment.
func (p Place) QueueName(deployment string) string {
	return p.parent() + "/queues/" + deployment + "-requests"
}

// Targets are the addresses of a deployment's functions, by their names in the application.
func (p Place) Targets(m *build.Manifest, deployment string) map[string]string {
	targets := map[string]string{}
	for i := range m.Functions {
		name := m.Functions[i].Name
		targets[name] = fmt.Sprintf("https://%s-%s.cloudfunctions.net/%s", p.Region, p.Project, FunctionName(deployment, name))
	}
	return targets
}

// Email is that of the service account of a deployment.
func (p Place) Email(deployment string) string {
	return deployment + "@" + p.Project + ".iam.gserviceaccount.com"
}

// Resources returns what an application needs on Google Cloud under the name of a deployment, out of a build in dir.
func (p Place) Resources(m *build.Manifest, dir, deployment string) ([]deploy.Resource, error) {
	if len(deployment) < 6 || len(deployment) > accountChars || !goodName.MatchString(deployment) {
		return nil, fault.New("gcp.resources", fault.InvalidName, deployment, "a service account is called like the deployment, which takes 6 to %d small letters, digits and '-': choose another --name", accountChars)
	}
	database := "projects/" + p.Project + "/databases/(default)"
	list := []deploy.Resource{
		{ID: accountID, Name: p.Email(deployment), Spec: &Account{p.Project}},
		{ID: grantID, Name: p.Email(deployment), Spec: &Grant{p.Project, deploy.Ref(accountID, "email"), roles}},
		{ID: "database/records", Name: database, Spec: &Database{p.Region}},
		{ID: "expiry/records", Name: database + "/collectionGroups/" + deployment + "/fields/expires", Spec: &Expiry{true}, Needs: []deploy.ID{"database/records"}},
		{ID: queueID, Name: p.QueueName(deployment), Spec: &Queue{-1}},
	}
	taken := map[string]string{}
	for i := range m.Functions {
		r, err := p.function(m, &m.Functions[i], dir, deployment)
		if err != nil {
			return nil, err
		}
		if other := taken[r.Name]; other != "" {
			return nil, fault.New("gcp.resources", fault.InvalidName, m.Functions[i].Name, "Google would call it as it does %s: rename one of them", other)
		}
		taken[r.Name] = m.Functions[i].Name
		list = append(list, *r)
	}
	return list, nil
}

func (p Place) function(m *build.Manifest, f *build.Deployed, dir, deployment string) (*deploy.Resource, error) {
	name := FunctionName(deployment, f.Name)
	if len(name) > nameChars || !goodName.MatchString(name) {
		return nil, fault.New("gcp.resources", fault.InvalidName, name, "Google takes at most %d small letters, digits and '-'", nameChars)
	}
	if f.Google == nil {
		return nil, fault.New("gcp.resources", fault.InvalidArgument, f.Name, "the application was not built for Google: weft build --google")
	}
	sum := m.Files[f.Google.Archive].SHA256
	if _, err := hex.DecodeString(sum); err != nil || len(sum) < hashChars {
		return nil, fault.New("gcp.resources", fault.Corrupt, f.Google.Archive, "the manifest of the build does not have it, or not its hash: build again")
	}
	targets, err := json.Marshal(p.Targets(m, deployment))
	if err != nil {
		return nil, err
	}
	env := map[string]string{
		"WEFT_FUNCTION": f.Name, "WEFT_COLLECTION": deployment, "WEFT_PROJECT": p.Project, "WEFT_TASKS": deploy.Ref(queueID, "name"),
		"WEFT_TARGETS": string(targets), "WEFT_SERVICE_ACCOUNT": deploy.Ref(accountID, "email"), "WEFT_TIMEOUT": strconv.Itoa(f.TimeoutSeconds) + "s",
	}
	if f.Name == m.Entry {
		env["WEFT_ENTRY"] = "true"
		if m.RunTimeoutSeconds > 0 {
			env["WEFT_RUN_TIMEOUT"] = strconv.FormatInt(m.RunTimeoutSeconds, 10) + "s"
		}
	}
	maps.Copy(env, f.Google.Environment)
	return &deploy.Resource{ID: deploy.ID("function/" + f.Name), Name: p.parent() + "/functions/" + name, Needs: []deploy.ID{grantID, "expiry/records"}, Spec: &Function{
		Runtime: f.Google.Runtime, EntryPoint: f.Google.EntryPoint, Memory: strconv.Itoa(max(f.MemoryMiB, 256)) + "M", Seconds: int32(f.TimeoutSeconds),
		Env: env, Account: deploy.Ref(accountID, "email"), Archive: filepath.Join(dir, filepath.FromSlash(f.Google.Archive)), Hash: sum[:hashChars], Owner: deployment,
	}}, nil
}
