package gcp

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

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

// shop is a build of two functions. What an archive has is what it is called by.
func shop(t *testing.T) (m *build.Manifest, dir string) {
	t.Helper()
	m = &build.Manifest{App: "shop", Entry: "price", RunTimeoutSeconds: 60, Files: map[string]build.File{}}
	dir = t.TempDir()
	for _, name := range []string{"price", "Ship_It"} {
		m.Functions = append(m.Functions, build.Deployed{Name: name, TimeoutSeconds: 10, MemoryMiB: 128, Google: &build.OnGoogle{
			Archive: name + ".zip", Runtime: "python313", EntryPoint: "weft", Environment: map[string]string{"LEVEL": "9"},
		}})
		put(t, m, dir, name+".zip", "")
	}
	return m, dir
}

func put(t *testing.T, m *build.Manifest, dir, name, text string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("main.py")
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err = errors.Join(err, z.Close()); err == nil {
		err = os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	m.Files[name] = build.File{SHA256: hex.EncodeToString(sum[:])}
}

// project is Google Cloud as the local endpoints have it. broken, if set, fails calls before or after they are done.
func project(t *testing.T, broken func() (before, after bool)) *Target {
	t.Helper()
	var mu sync.Mutex
	api, err := gcfapi.Start(gcfapi.Config{Intercept: func(_ context.Context, _ string, call func() error) error {
		mu.Lock()
		before, after := false, false
		if broken != nil {
			before, after = broken()
		}
		mu.Unlock()
		if before {
			return status.Error(codes.Internal, "lost")
		}
		err := call()
		if err == nil && after {
			return status.Error(codes.Internal, "the answer is lost")
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	tasks, err := cloudtasksapi.Start(cloudtasksapi.Config{})
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
	target, err := Open(t.Context(), Options{
		GRPC: dial(api.Addr()), Tasks: dial(tasks.Addr()), HTTP: []option.ClientOption{option.WithEndpoint(api.URL()), option.WithoutAuthentication()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func resources(t *testing.T, m *build.Manifest, dir string) []deploy.Resource {
	t.Helper()
	list, err := place.Resources(m, dir, "my-shop")
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

// TestDeploy deploys to the local endpoints by Google's clients, changes something, and destroys.
func TestDeploy(t *testing.T) {
	t.Parallel()
	target, s := project(t, nil), load(t, filepath.Join(t.TempDir(), "shop.json"))
	m, dir := shop(t)
	want := []string{"create account/functions", "create grant/functions", "create database/records", "create expiry/records",
		"create queue/requests", "create function/price", "create function/Ship_It"}
	if did := deployed(t, target, resources(t, m, dir), s); !slices.Equal(did, want) {
		t.Errorf("the first time: %v", did)
	}
	if did := deployed(t, target, resources(t, m, dir), s); len(did) != 0 {
		t.Errorf("the second time: %v", did)
	}
	put(t, m, dir, "price.zip", "other code")
	if did := deployed(t, target, resources(t, m, dir), s); !slices.Equal(did, []string{"update function/price"}) {
		t.Errorf("other code: %v", did)
	}
	m.Functions = m.Functions[:1]
	if did := deployed(t, target, resources(t, m, dir), s); !slices.Equal(did, []string{"update function/price", "delete function/Ship_It"}) {
		t.Errorf("a function less: %v", did)
	}
	if did := deployed(t, target, nil, s); len(did) != 6 || len(s.Resources) != 0 {
		t.Errorf("destroyed: %v, left %v", did, s.Resources)
	}
	// The database and its time to live are the project's.
	want = []string{"create account/functions", "create grant/functions", "create queue/requests", "create function/price"}
	if did := deployed(t, target, resources(t, m, dir), load(t, filepath.Join(t.TempDir(), "again.json"))); !slices.Equal(did, want) {
		t.Errorf("after that: %v", did)
	}
}

// TestDeployThroughFailures loses calls and answers, and deploys again until it has all succeeded.
func TestDeployThroughFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		luck, failing := rand.New(rand.NewPCG(seed, 0)), true
		target := project(t, func() (bool, bool) { return failing && luck.IntN(12) == 0, failing && luck.IntN(12) == 0 })
		file := filepath.Join(t.TempDir(), "shop.json")
		m, dir := shop(t)
		for _, want := range [][]deploy.Resource{resources(t, m, dir), nil} {
			for tries := 0; ; tries++ {
				s := load(t, file)
				plan, err := deploy.NewPlan(t.Context(), target, want, s)
				if err == nil {
					err = deploy.Apply(t.Context(), target, plan, s, nil)
				}
				if err == nil {
					break
				}
				if tries == 300 {
					t.Fatal(err)
				}
			}
		}
		failing = false
		if did := deployed(t, target, resources(t, m, dir), load(t, filepath.Join(t.TempDir(), "other.json"))); len(did) != 5 {
			t.Errorf("after destroying there was to make: %v", did)
		}
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	m, dir := shop(t)
	list := resources(t, m, dir)
	price := list[len(list)-2].Spec.(*Function)
	if price.Env["WEFT_ENTRY"] != "true" || price.Env["WEFT_RUN_TIMEOUT"] != "60s" || price.Memory != "256M" || price.Env["LEVEL"] != "9" ||
		!strings.Contains(price.Env["WEFT_TARGETS"], `"Ship_It":"https://us-central1-p.cloudfunctions.net/my-shop-ship-it"`) {
		t.Errorf("%+v", price)
	}
	for name, change := range map[string]func(m *build.Manifest) string{
		"a short name":      func(*build.Manifest) string { return "shop" },
		"two of one name":   func(m *build.Manifest) string { m.Functions[0].Name = "ship-it"; return "my-shop" },
		"a long name":       func(m *build.Manifest) string { m.Functions[0].Name = strings.Repeat("x", 60); return "my-shop" },
		"no Google archive": func(m *build.Manifest) string { m.Functions[0].Google = nil; return "my-shop" },
	} {
		m, dir := shop(t)
		if _, err := place.Resources(m, dir, change(m)); !fault.Is(err, fault.InvalidName) && !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
