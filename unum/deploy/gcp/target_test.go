package gcp

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/cloudtasksapi"
	"github.com/weftworks/weft/faas/gcfapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
)

var place = Place{"p", "us-central1"}

// shop is a build of an application of two functions, with archives that have the text they are named by.
func shop(t testing.TB) *Build {
	t.Helper()
	b := &Build{&build.Manifest{App: "shop", Entry: "price", RunTimeoutSeconds: 60, Files: map[string]build.File{}}, t.TempDir()}
	for _, name := range []string{"price", "Ship_It"} {
		file := "functions/" + name + "-google.zip"
		b.Functions = append(b.Functions, build.Deployed{Name: name, TimeoutSeconds: 12, MemoryMiB: 128, Google: &build.OnGoogle{
			Archive: file, Runtime: "python313", EntryPoint: "weft", Environment: map[string]string{"WEFT_FUNCTION": name, "LEVEL": "9 ${x}"},
		}})
		put(t, b, file, name)
	}
	return b
}

// put writes a ZIP file with one file of that text into a build.
func put(t testing.TB, b *Build, name, text string) {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.Create("main.py")
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(b.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(buf.Bytes())
	b.Files[name] = build.File{SHA256: hex.EncodeToString(sum[:])}
}

// world is a project of Google Cloud as the local endpoints have it.
type world struct {
	*Target
	mu     sync.Mutex
	broken func() (before, after bool) // nil: nothing fails
}

// fails says whether a call fails before and after it is carried out.
func (w *world) fails() (before, after bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		return false, false
	}
	return w.broken()
}

func (w *world) intercept(_ context.Context, _ string, call func() error) error {
	before, after := w.fails()
	if before {
		return status.Error(codes.Internal, "it is lost")
	}
	if err := call(); err != nil || !after {
		return err
	}
	return status.Error(codes.Internal, "its answer is lost")
}

// RoundTrip is intercept for HTTP.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	before, after := w.fails()
	if before {
		return nil, errors.New("it is lost")
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after {
		_ = res.Body.Close() // nobody reads it
		return nil, errors.New("its answer is lost")
	}
	return res, err
}

func project(t *testing.T, c gcfapi.Config) *world {
	t.Helper()
	w := &world{}
	c.Intercept = w.intercept
	api, err := gcfapi.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	tasks, err := cloudtasksapi.Start(cloudtasksapi.Config{Intercept: w.intercept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tasks.Close)
	dial := func(address string) []option.ClientOption {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return []option.ClientOption{option.WithGRPCConn(conn)}
	}
	grpc, rest := dial(api.Addr()), []option.ClientOption{option.WithEndpoint(api.URL()), option.WithHTTPClient(&http.Client{Transport: w})}
	w.Target, err = Open(t.Context(), Options{Functions: grpc, Firestore: grpc, Accounts: grpc, Tasks: dial(tasks.Addr()), Projects: rest, Run: rest})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	w.Pause = time.Millisecond
	return w
}

func resources(t testing.TB, b *Build, s *deploy.State) []deploy.Resource {
	t.Helper()
	list, err := place.Resources(b, "shop", place.QueueOf(s, "shop"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func load(t *testing.T, path string) *deploy.State {
	t.Helper()
	s, err := deploy.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deployed applies a plan and returns its verbs and ids, but for what is kept.
func deployed(t *testing.T, target deploy.Target, want []deploy.Resource, s *deploy.State) (did []string) {
	t.Helper()
	p, err := deploy.NewPlan(t.Context(), target, want, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := deploy.Apply(t.Context(), target, p, s, nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Actions {
		if a.Verb != deploy.Keep {
			did = append(did, string(a.Verb)+" "+string(a.ID))
		}
	}
	return did
}

// left returns what is in a project that a deployment had made, besides what each has.
func left(t *testing.T, w *world) (names []string) {
	t.Helper()
	ctx := t.Context()
	for f, err := range w.Functions.ListFunctions(ctx, &functionspb.ListFunctionsRequest{Parent: place.location()}).All() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.GetName())
	}
	for q, err := range w.Tasks.ListQueues(ctx, &pb.ListQueuesRequest{Parent: place.location()}).All() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, q.GetName())
	}
	if _, err := w.Firestore.GetDatabase(ctx, &adminpb.GetDatabaseRequest{Name: place.database("shop")}); !absent(err) {
		names = append(names, "the database")
	}
	for _, id := range []string{"shop-functions", "shop-tasks"} {
		if _, err := w.Accounts.GetServiceAccount(ctx, &iamadminpb.GetServiceAccountRequest{Name: place.account(place.email(id))}); !absent(err) {
			names = append(names, id)
		}
	}
	p, err := w.Projects.Projects.GetIamPolicy("p", &cloudresourcemanager.GetIamPolicyRequest{}).Context(ctx).Do()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range p.Bindings {
		names = append(names, b.Role+" of "+strings.Join(b.Members, ", "))
	}
	return names
}

// TestDeploy deploys to the local endpoints by Google's clients, changes something of each kind, and destroys.
func TestDeploy(t *testing.T) {
	t.Parallel()
	w, s, b := project(t, gcfapi.Config{Polls: 2}), load(t, filepath.Join(t.TempDir(), "shop.json")), shop(t)
	want := []string{
		"create account/functions", "create account/tasks", "create database/records", "create queue/tasks",
		"create grant/records", "create grant/enqueue", "create grant/act", "create function/price", "create function/Ship_It",
		"create grant/invoke-price", "create grant/invoke-Ship_It",
	}
	if did := deployed(t, w, resources(t, b, s), s); !slices.Equal(did, want) {
		t.Errorf("the first time: %v", did)
	}
	if did := deployed(t, w, resources(t, b, s), s); len(did) != 0 {
		t.Errorf("the second time: %v", did)
	}
	c, err := Connect(s)
	if err != nil || c.Project != "p" || c.Database != "shop-records" || c.Account != "shop-tasks@p.iam.gserviceaccount.com" ||
		c.Targets["Ship_It"] != "https://us-central1-p.cloudfunctions.net/shop-ship-it" || c.Queue != resources(t, b, s)[3].Name {
		t.Errorf("%+v, %v", c, err)
	}
	put(t, b, "functions/price-google.zip", "other code")
	if did := deployed(t, w, resources(t, b, s), s); !slices.Equal(did, []string{"update function/price"}) {
		t.Errorf("other code: %v", did)
	}
	b.Functions[1].Google.Environment["LEVEL"], b.Functions = "1", b.Functions[1:]
	if did := deployed(t, w, resources(t, b, s), s); !slices.Equal(did, []string{"update function/Ship_It", "delete grant/invoke-price", "delete function/price"}) {
		t.Errorf("a function less: %v", did)
	}
	w.changeAll(t, s)
	want = []string{"update database/records", "update queue/tasks", "create grant/records", "update function/Ship_It"}
	if did := deployed(t, w, resources(t, b, s), s); !slices.Equal(did, want) {
		t.Errorf("after changes by somebody else: %v", did)
	}
	if names := left(t, w); !slices.Contains(names, "roles/datastore.user of user:somebody@example.com") {
		t.Errorf("with somebody else there are %v", names)
	}
	if did := deployed(t, w, nil, s); len(did) != 9 || len(s.Resources) != 0 {
		t.Errorf("destroyed: %v, left %v", did, s.Resources)
	}
	if names := left(t, w); !slices.Equal(names, []string{"roles/datastore.user of user:somebody@example.com"}) {
		t.Errorf("left are %v", names)
	}
}

// changeAll changes something of everything, as somebody would who does not know better.
func (w *world) changeAll(t *testing.T, s *deploy.State) {
	t.Helper()
	ctx := t.Context()
	op, err := w.Firestore.UpdateField(ctx, &adminpb.UpdateFieldRequest{Field: &adminpb.Field{Name: field(place.database("shop"), Collection, "*")}})
	if err == nil {
		err = w.until(ctx, "it", func() (bool, error) { _, err := op.Poll(ctx); return op.Done(), err })
	}
	if err == nil {
		_, err = w.Tasks.UpdateQueue(ctx, &pb.UpdateQueueRequest{Queue: &pb.Queue{Name: s.Attr(queueID, "name"), RetryConfig: &pb.RetryConfig{MaxAttempts: 3}}})
	}
	if err == nil {
		_, err = w.Projects.Projects.SetIamPolicy("p", &cloudresourcemanager.SetIamPolicyRequest{Policy: &cloudresourcemanager.Policy{
			Bindings: []*cloudresourcemanager.Binding{{Role: roleRecords, Members: []string{"user:somebody@example.com"}}},
		}}).Context(ctx).Do()
	}
	if err == nil {
		name := s.Attr("function/Ship_It", "name")
		_, err = w.Functions.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{Function: &functionspb.Function{Name: name}}) // it goes on for a while
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeployThroughFailures loses calls and answers, and deploys again until it has all succeeded.
func TestDeployThroughFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		luck := rand.New(rand.NewPCG(seed, 0))
		w := project(t, gcfapi.Config{Polls: int(seed % 2)})
		w.broken = func() (bool, bool) { return luck.IntN(40) == 0, luck.IntN(40) == 0 }
		file, b := filepath.Join(t.TempDir(), "shop.json"), shop(t)
		tries := 0
		for _, destroy := range []bool{false, true} {
			for failed := true; failed; tries++ {
				s := load(t, file)
				var want []deploy.Resource
				if !destroy {
					want = resources(t, b, s)
				}
				plan, err := deploy.NewPlan(t.Context(), w, want, s)
				if err == nil {
					err = deploy.Apply(t.Context(), w, plan, s, nil)
				}
				if failed = err != nil; tries == 300 {
					t.Fatal(err)
				}
			}
			if destroy {
				break
			}
			s := load(t, file)
			w.broken, luck = nil, rand.New(rand.NewPCG(seed, 1))
			if did := deployed(t, w, resources(t, b, s), s); len(did) != 0 || len(s.Resources) != 11 {
				t.Errorf("after %d tries there was to do: %v", tries, did)
			}
			w.broken = func() (bool, bool) { return luck.IntN(40) == 0, luck.IntN(40) == 0 }
		}
		w.broken = nil
		if names := left(t, w); len(names) != 0 {
			t.Errorf("left are %v", names)
		}
	}
}

// TestOthersAreLeftAlone wants what has our names and is not ours to be refused.
func TestOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	for i, id := range []deploy.ID{functionsID, databaseID, "function/price"} {
		w, s, b := project(t, gcfapi.Config{}), load(t, filepath.Join(t.TempDir(), "shop.json")), shop(t)
		list := resources(t, b, s)
		var other *deploy.Resource
		for j := range list {
			if list[j].ID == id {
				other = &list[j]
			}
		}
		switch spec := other.Spec.(type) {
		case *Account:
			spec.Owner = "somebody"
		case *Function:
			spec.Owner, spec.Account = "somebody", "a@p.iam.gserviceaccount.com"
		}
		if _, err := w.Create(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		_, err := deploy.NewPlan(t.Context(), w, resources(t, b, s), s)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), other.Name) {
			t.Errorf("%d: somebody's %s: %v", i, id, err)
		}
	}
}

// TestBuildFails has a build fail and then succeed with the same source.
func TestBuildFails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	failing := true
	w := project(t, gcfapi.Config{Serve: func(*functionspb.Function, []byte) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if failing {
			return "", errors.New("no such package")
		}
		return "https://there", nil
	}})
	s, b := load(t, filepath.Join(t.TempDir(), "shop.json")), shop(t)
	p, err := deploy.NewPlan(t.Context(), w, resources(t, b, s), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := deploy.Apply(t.Context(), w, p, s, nil); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("a build that fails: %v", err)
	}
	mu.Lock()
	failing = false
	mu.Unlock()
	want := []string{"update function/price", "create function/Ship_It", "create grant/invoke-price", "create grant/invoke-Ship_It"}
	if did := deployed(t, w, resources(t, b, s), s); !slices.Equal(did, want) {
		t.Errorf("after that: %v", did)
	}
}
