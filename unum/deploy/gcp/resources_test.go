package gcp

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

func spec[S any](t testing.TB, list []deploy.Resource, id deploy.ID) S {
	t.Helper()
	i := slices.IndexFunc(list, func(r deploy.Resource) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no %s", id)
	}
	return list[i].Spec.(S)
}

func TestResources(t *testing.T) {
	t.Parallel()
	b := shop(t)
	list := resources(t, b, &deploy.State{})
	f := spec[*Function](t, list, "function/price")
	var targets map[string]string
	if err := json.Unmarshal([]byte(f.Env["WEFT_TARGETS"]), &targets); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"price": "https://us-central1-p.cloudfunctions.net/shop-price", "Ship_It": "https://us-central1-p.cloudfunctions.net/shop-ship-it"}
	if d := cmp.Diff(want, targets); d != "" {
		t.Error(d)
	}
	delete(f.Env, "WEFT_TARGETS")
	want = map[string]string{
		"WEFT_PROJECT": "p", "WEFT_DATABASE": "shop-records", "WEFT_COLLECTION": "weft", "WEFT_TASKS": "${queue/tasks.name}",
		"WEFT_SERVICE_ACCOUNT": "${account/tasks.email}", "WEFT_TIMEOUT": "12s", "WEFT_ENTRY": "true", "WEFT_RUN_TIMEOUT": "60s",
		"WEFT_FUNCTION": "price", "LEVEL": "9 ${x}",
	}
	if d := cmp.Diff(want, f.Env); d != "" {
		t.Error(d)
	}
	f.Env = nil
	wantF := &Function{Runtime: "python313", EntryPoint: "weft", Account: "${account/functions.email}", MemoryMiB: 256, Seconds: 12,
		Archive: filepath.Join(b.Dir, "functions", "price-google.zip"), Hash: b.Files["functions/price-google.zip"].SHA256[:40], Owner: "shop"}
	if d := cmp.Diff(wantF, f); d != "" {
		t.Error(d)
	}
	if f := spec[*Function](t, list, "function/Ship_It"); f.Env["WEFT_ENTRY"] != "" || f.Env["WEFT_FUNCTION"] != "Ship_It" {
		t.Errorf("Ship_It: %+v", f)
	}
}

// TestGrantsAreLeast wants each account to have what it needs, each on one resource of the deployment.
func TestGrantsAreLeast(t *testing.T) {
	t.Parallel()
	s := &deploy.State{}
	queue := place.QueueOf(s, "shop")
	list, err := place.Resources(shop(t), "shop", queue)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		if g, ok := r.Spec.(*Grant); ok {
			got = append(got, r.Name)
			if back, err := grantOf(r.Name); err != nil || *back != *g {
				t.Errorf("%q is read as %+v, %v", r.Name, back, err)
			}
		}
	}
	want := []string{
		"roles/datastore.user on projects/p/databases/shop-records to shop-functions@p.iam.gserviceaccount.com",
		"roles/cloudtasks.enqueuer on " + queue + " to shop-functions@p.iam.gserviceaccount.com",
		"roles/iam.serviceAccountUser on projects/p/serviceAccounts/shop-tasks@p.iam.gserviceaccount.com to shop-functions@p.iam.gserviceaccount.com",
		"roles/run.invoker on projects/p/locations/us-central1/services/shop-price to shop-tasks@p.iam.gserviceaccount.com",
		"roles/run.invoker on projects/p/locations/us-central1/services/shop-ship-it to shop-tasks@p.iam.gserviceaccount.com",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"", "roles/x on y", "roles/x to y"} {
		if _, err := grantOf(bad); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	g := spec[*Grant](t, list, "grant/records")
	if c := g.condition().GetExpression(); c != `resource.name == "projects/p/databases/shop-records"` {
		t.Errorf("the condition is %s", c)
	}
}

func TestQueuesHaveNewNames(t *testing.T) {
	t.Parallel()
	s := &deploy.State{}
	one, other := place.QueueOf(s, "shop"), place.QueueOf(s, "shop")
	if one == other {
		t.Errorf("two queues have the name %s", one)
	}
	s.Resources = []deploy.Owned{{ID: queueID, Name: one}}
	if again := place.QueueOf(s, "shop"); again != one {
		t.Errorf("%s became %s", one, again)
	}
	if moved := (Place{"p", "europe-west1"}).QueueOf(s, "shop"); !strings.HasPrefix(moved, "projects/p/locations/europe-west1/queues/shop-") {
		t.Errorf("elsewhere it is %s", moved)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70)
	for function, want := range map[string]string{"Create-post": "d-create-post", "a_b": "d-a-b", "é": "d-" + hash("é"), long: "d-" + strings.Repeat("x", 54) + "-" + hash(long)} {
		if got := functionID("d", function); got != want || len(got) > nameChars {
			t.Errorf("%s is called %s, want %s", function, got, want)
		}
	}
	account := short(strings.Repeat("a", 40)+"-tasks", "the deployment", accountChars)
	if len(account) != accountChars || !strings.HasPrefix(account, "aaaa") {
		t.Errorf("the account is called %s", account)
	}
}

func TestWrongBuilds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(b *Build)
		kind   fault.Kind
	}{
		"two of one name":          {func(b *Build) { b.Functions[0].Name = "ship-it" }, fault.InvalidName},
		"not for Google":           {func(b *Build) { b.Functions[0].Google = nil }, fault.InvalidArgument},
		"no hash":                  {func(b *Build) { clear(b.Files) }, fault.Corrupt},
		"too large an environment": {func(b *Build) { b.Functions[0].Google.Environment["X"] = strings.Repeat("x", envBytes) }, fault.LimitExceeded},
	} {
		b := shop(t)
		c.change(b)
		if _, err := place.Resources(b, "shop", place.Queue("shop", "x")); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMebibytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"256Mi": 256, "256M": 256, "2Gi": 2048, "2G": 2048, "0.5G": 0, "": 0, "many": 0} {
		if got := mebibytes(text); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// TestConnectWantsAll refuses to connect to half a deployment.
func TestConnectWantsAll(t *testing.T) {
	t.Parallel()
	if _, err := Connect(&deploy.State{Name: "shop"}); !fault.Is(err, fault.ResourceNotFound) {
		t.Error(err)
	}
}

var reference = regexp.MustCompile(`\$\{([a-z0-9_]+)\.([A-Za-z0-9_-]+)\.[a-z]+\}`)

// TestTerraform wants the same resources in Terraform's words, with references to what is there.
func TestTerraform(t *testing.T) {
	t.Parallel()
	list, err := place.Resources(shop(t), "shop", place.Queue("shop", "tasks"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := place.Terraform(list, "shop", func(file string) (string, error) { return "there/" + filepath.Base(file), nil })
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resource map[string]map[string]map[string]any
		Output   map[string]map[string]string
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for kind, all := range doc.Resource {
		counts[kind] = len(all)
		for _, body := range all {
			needs, _ := body["depends_on"].([]any)
			for _, need := range needs {
				other, label, _ := strings.Cut(need.(string), ".")
				if doc.Resource[other][label] == nil {
					t.Errorf("nothing is at %v", need)
				}
			}
		}
	}
	want := map[string]int{
		"google_service_account": 2, "google_firestore_database": 1, "google_firestore_field": 2, "google_cloud_tasks_queue": 1,
		"google_project_iam_member": 1, "google_cloud_tasks_queue_iam_member": 1, "google_service_account_iam_member": 1,
		"google_storage_bucket": 1, "google_storage_bucket_object": 2, "google_cloudfunctions2_function": 2, "google_cloud_run_v2_service_iam_member": 2,
	}
	if d := cmp.Diff(want, counts); d != "" {
		t.Error(d)
	}
	n := 0
	for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
		if n++; doc.Resource[m[1]][m[2]] == nil {
			t.Errorf("nothing is at %s", m[0])
		}
	}
	env := doc.Resource["google_cloudfunctions2_function"]["price"]["service_config"].(map[string]any)["environment_variables"].(map[string]any)
	if n < 10 || env["LEVEL"] != "9 $${x}" || env["WEFT_TASKS"] != "${google_cloud_tasks_queue.tasks.id}" || env["WEFT_SERVICE_ACCOUNT"] != "${google_service_account.tasks.email}" ||
		doc.Output["entry_function"]["value"] != "${google_cloudfunctions2_function.price.url}" {
		t.Errorf("%d references, %v, %v", n, env, doc.Output)
	}
	if o := doc.Resource["google_storage_bucket_object"]["price"]; o["source"] != "there/price-google.zip" {
		t.Errorf("the archive: %v", o)
	}
}
