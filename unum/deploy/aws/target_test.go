package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/awsapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/unum/deploy"
)

// tables is dynalite with what a deployment needs besides: a time to live that can be set, tags from the beginning, and that a
// table which is being deleted can be deleted again without harm. dynalite would delete the next one of that name.
func tables(t *testing.T) http.Handler {
	t.Helper()
	u, err := url.Parse(testserver.DynamoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ttl, tags, dying := map[string]string{}, map[string]any{}, map[string]bool{} // by table
	proxy := httputil.NewSingleHostReverseProxy(u)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		var in struct {
			TableName, ResourceArn  string
			Tags                    any
			TimeToLiveSpecification struct{ AttributeName string }
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		out := map[string]any{}
		mu.Lock()
		defer mu.Unlock()
		switch action {
		case "UpdateTimeToLive":
			ttl[in.TableName] = in.TimeToLiveSpecification.AttributeName
		case "DescribeTimeToLive":
			out["TimeToLiveDescription"] = map[string]string{"TimeToLiveStatus": "DISABLED"}
			if ttl[in.TableName] != "" {
				out["TimeToLiveDescription"] = map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": ttl[in.TableName]}
			}
		case "ListTagsOfResource":
			out["Tags"] = tags[path.Base(in.ResourceArn)]
		default:
			if action == "CreateTable" {
				tags[in.TableName], ttl[in.TableName] = in.Tags, ""
			}
			if action == "DeleteTable" && dying[in.TableName] {
				r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DescribeTable")
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			answer := &status{ResponseWriter: w}
			proxy.ServeHTTP(answer, r)
			switch {
			case answer.code == http.StatusOK && action == "DeleteTable":
				dying[in.TableName] = true
			case answer.code == http.StatusOK && action == "CreateTable":
				dying[in.TableName] = false
			}
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
	})
}

// status remembers how a request was answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// region is AWS as the local endpoints have it. broken, if set, fails requests before or after they are done.
func region(t *testing.T, broken func() (before, after bool)) *Target {
	t.Helper()
	cloud, err := awsapi.New(awsapi.Config{Dir: t.TempDir(), Functions: faas.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))}})
	if err != nil {
		t.Fatal(err)
	}
	cloud.Handle("dynamodb", tables(t))
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		before, after := false, false
		if broken != nil {
			before, after = broken()
		}
		mu.Unlock()
		if before || after {
			if before {
				panic(http.ErrAbortHandler)
			}
			if after {
				cloud.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
		}
		cloud.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		_ = cloud.Close(context.WithoutCancel(t.Context())) // what runs is of no interest
	})
	cfg := sdk.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		Retryer: func() sdk.Retryer { return sdk.NopRetryer{} },
	}
	return &Target{
		Region: "us-east-1", Pause: 10 * time.Millisecond,
		Lambda: lambda.NewFromConfig(cfg), IAM: iam.NewFromConfig(cfg), DynamoDB: dynamodb.NewFromConfig(cfg), SQS: sqs.NewFromConfig(cfg),
	}
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
func deployed(t *testing.T, target deploy.Target, want []deploy.Resource, s *deploy.State) []string {
	t.Helper()
	p, err := deploy.NewPlan(t.Context(), target, want, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := deploy.Apply(t.Context(), target, p, s, nil); err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, a := range p.Actions {
		if a.Verb != deploy.Keep {
			did = append(did, string(a.Verb)+" "+string(a.ID))
		}
	}
	return did
}

// TestDeploy deploys to the local endpoints by Amazon's clients, changes something of each kind, and destroys.
func TestDeploy(t *testing.T) {
	t.Parallel()
	target, s, p := region(t, nil), load(t, filepath.Join(t.TempDir(), "shop.json")), shop(t)
	if did := deployed(t, target, resources(t, p), s); len(did) != 12 {
		t.Errorf("the first time: %v", did)
	}
	if did := deployed(t, target, resources(t, p), s); len(did) != 0 {
		t.Errorf("the second time: %v", did)
	}
	put(t, p, "functions/price.zip", "other code")
	if did := deployed(t, target, resources(t, p), s); !slices.Equal(did, []string{"update function/price"}) {
		t.Errorf("other code: %v", did)
	}
	put(t, p, "layer-arm64.zip", "another runtime")
	want := []string{"create layer/runtime", "update function/price", "update function/ship-it", "update function/weft-carrier", "delete layer/runtime"}
	if did := deployed(t, target, resources(t, p), s); !slices.Equal(did, want) {
		t.Errorf("another runtime: %v", did)
	}
	p.Functions[0].Environment["LEVEL"], p.Functions = "1", p.Functions[:1]
	want = []string{"update function/price", "update policy/functions", "delete events/ship-it", "delete function/ship-it"}
	if did := deployed(t, target, resources(t, p), s); !slices.Equal(did, want) {
		t.Errorf("a function less: %v", did)
	}
	list := resources(t, p)
	spec[*Queue](t, list, "queue/delays").VisibilitySeconds = 400
	spec[*Events](t, list, "events/price").Retries = 1
	want = []string{"update queue/delays", "update events/price"}
	if did := deployed(t, target, list, s); !slices.Equal(did, want) {
		t.Errorf("other settings: %v", did)
	}
	if did := deployed(t, target, nil, s); len(did) != 10 || len(s.Resources) != 0 {
		t.Errorf("destroyed: %v, left %v", did, s.Resources)
	}
	if did := deployed(t, target, resources(t, p), load(t, filepath.Join(t.TempDir(), "again.json"))); len(did) != 10 {
		t.Errorf("after that: %v", did)
	}
}

// TestDeployThroughFailures loses requests and answers, and deploys again until it has all succeeded.
func TestDeployThroughFailures(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		luck, failing := rand.New(rand.NewPCG(seed, 0)), true
		target := region(t, func() (bool, bool) { return failing && luck.IntN(30) == 0, failing && luck.IntN(30) == 0 })
		file, p := filepath.Join(t.TempDir(), "shop.json"), shop(t)
		for _, want := range [][]deploy.Resource{resources(t, p), nil} {
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
		if left := deployed(t, target, resources(t, p), load(t, filepath.Join(t.TempDir(), "other.json"))); len(left) != 12 {
			t.Errorf("what was destroyed is there: only %v had to be made", left)
		}
	}
}

// TestOthersAreLeftAlone wants what has our names and is not ours to be refused.
func TestOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	target := region(t, nil)
	if _, err := target.createQueue(t.Context(), &deploy.Resource{Name: "shop-delays", Spec: &Queue{30, 3600, "somebody"}}); err != nil {
		t.Fatal(err)
	}
	_, err := deploy.NewPlan(t.Context(), target, resources(t, shop(t)), load(t, filepath.Join(t.TempDir(), "shop.json")))
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "shop-delays") {
		t.Errorf("somebody's queue: %v", err)
	}
}
