package aws

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/cloudformation"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/build"
)

// shop is a build of an application of two functions, with archives that have the text they are named by.
func shop(t testing.TB) *Package {
	t.Helper()
	dir := t.TempDir()
	m := &build.Manifest{
		App: "shop", Entry: "price", RunTimeoutSeconds: 60, Archs: []build.Arch{build.ARM64}, Layers: map[build.Arch]string{build.ARM64: "layer-arm64.zip"},
		Files: map[string]build.File{},
	}
	for _, f := range []build.Deployed{
		{Name: "price", Code: "price", Runtime: "python3.13", Handler: "price.handler", TimeoutSeconds: 12, MemoryMiB: 256,
			Environment: map[string]string{"WEFT_FUNCTION": "price", "AWS_LAMBDA_EXEC_WRAPPER": build.ExecWrapper, "LEVEL": "9 ${x}"}},
		{Name: "ship-it", Code: "ship", Runtime: "provided.al2023", Handler: "bootstrap", TimeoutSeconds: 5, MemoryMiB: 64,
			Environment: map[string]string{"WEFT_FUNCTION": "ship-it"}},
	} {
		f.Archives = map[build.Arch]string{build.ARM64: "functions/" + f.Code + ".zip"}
		m.Functions = append(m.Functions, f)
	}
	p := &Package{Manifest: m, Dir: dir, Arch: build.ARM64}
	for _, name := range []string{"layer-arm64.zip", "functions/price.zip", "functions/ship.zip", "functions/weft.zip"} {
		put(t, p, name, name)
	}
	return p
}

// put writes a ZIP file with one file of that text into a build.
func put(t testing.TB, p *Package, name, text string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("bootstrap")
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	p.Files[name] = build.File{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(b.Len())}
}

func resources(t testing.TB, p *Package) []deploy.Resource {
	t.Helper()
	list, err := Resources(p, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

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
	list := resources(t, shop(t))
	var ids []string
	for _, r := range list {
		ids = append(ids, string(r.ID)+" "+r.Name)
	}
	want := []string{
		"role/functions shop", "table/records shop", "queue/delays shop-delays", "layer/runtime " + list[3].Name,
		"function/price shop-price", "function/ship-it shop-ship-it", "function/weft-carrier shop-weft-carrier",
		"policy/functions shop", "events/price shop-price", "events/ship-it shop-ship-it", "events/weft-carrier shop-weft-carrier",
		"mapping/delays shop-weft-carrier",
	}
	if d := cmp.Diff(want, ids); d != "" {
		t.Error(d)
	}
	f := spec[*Function](t, list, "function/price")
	if f.Env["WEFT_ENTRY"] != "true" || f.Env["WEFT_TABLE"] != "${table/records.name}" || f.Env["LEVEL"] != "9 ${x}" || f.MemoryMB != 256 || f.Arch != "arm64" {
		t.Errorf("price: %+v", f)
	}
	if f := spec[*Function](t, list, "function/ship-it"); f.Env["WEFT_ENTRY"] != "" || f.MemoryMB != 128 {
		t.Errorf("ship-it: %+v", f)
	}
	if e := spec[*Events](t, list, "events/weft-carrier"); e.OnFailure != "${queue/delays.arn}" {
		t.Errorf("what the carrier cannot do goes to %s", e.OnFailure)
	}
}

// TestPolicyIsLeast wants no action and no resource to be a pattern, but the log groups' names.
func TestPolicyIsLeast(t *testing.T) {
	t.Parallel()
	for _, s := range spec[*Policy](t, resources(t, shop(t)), "policy/functions").Statements {
		for _, a := range s.Action {
			if strings.Contains(a, "*") {
				t.Errorf("%s allows %s", s.Sid, a)
			}
		}
		for _, r := range s.Resource {
			if strings.Contains(r, "*") && !strings.HasSuffix(r, ":log-group:/aws/lambda/shop-*") {
				t.Errorf("%s allows it on %s", s.Sid, r)
			}
		}
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"": "aws", "eu-central-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		p := shop(t)
		p.Region = region
		statements := spec[*Policy](t, resources(t, p), "policy/functions").Statements
		if got := statements[len(statements)-1].Resource[0]; !strings.HasPrefix(got, "arn:"+want+":logs:") {
			t.Errorf("%s: %s", region, got)
		}
	}
}

func TestResourcesRefused(t *testing.T) {
	t.Parallel()
	p := shop(t)
	if _, err := Resources(p, strings.Repeat("x", 60)); !fault.Is(err, fault.InvalidName) {
		t.Errorf("a long name: %v", err)
	}
	p.Arch = build.AMD64
	if _, err := Resources(p, "shop"); !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), "--arch amd64") {
		t.Errorf("an architecture that was not built: %v", err)
	}
	p.Arch = build.ARM64
	delete(p.Files, "functions/weft.zip")
	if _, err := Resources(p, "shop"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a file that is missing: %v", err)
	}
}

func relative(t *testing.T, p *Package) func(string) (string, error) {
	t.Helper()
	return func(file string) (string, error) { return filepath.Rel(p.Dir, file) }
}

// template is what SAM's YAML is read into.
type template struct {
	Resources map[string]struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
		DependsOn  []string       `yaml:"DependsOn"`
	} `yaml:"Resources"`
	Outputs map[string]struct {
		Value any `yaml:"Value"`
	} `yaml:"Outputs"`
}

// required are properties without which CloudFormation and SAM refuse a resource.
var required = map[string][]string{
	"AWS::IAM::Role": {"AssumeRolePolicyDocument"}, "AWS::IAM::RolePolicy": {"PolicyName", "RoleName"},
	"AWS::DynamoDB::Table": {"KeySchema", "AttributeDefinitions"}, "AWS::SQS::Queue": nil, "AWS::Serverless::LayerVersion": {"ContentUri"},
	"AWS::Serverless::Function": {"CodeUri", "Handler", "Runtime"}, "AWS::Lambda::EventInvokeConfig": {"FunctionName", "Qualifier"},
	"AWS::Lambda::EventSourceMapping": {"FunctionName", "EventSourceArn"},
}

// samRefs returns the resources that a value refers to.
func samRefs(v any) (refs []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			switch key {
			case "Ref":
				refs = append(refs, value.(string))
			case "Fn::GetAtt":
				refs = append(refs, value.([]any)[0].(string))
			case "Fn::Sub":
				for _, m := range regexp.MustCompile(`\$\{(\w+)[.}]`).FindAllStringSubmatch(value.(string), -1) {
					refs = append(refs, m[1])
				}
			default:
				refs = append(refs, samRefs(value)...)
			}
		}
	case []any:
		for _, value := range v {
			refs = append(refs, samRefs(value)...)
		}
	}
	return refs
}

func TestSAM(t *testing.T) {
	t.Parallel()
	p := shop(t)
	text, err := SAM(resources(t, p), "The application shop", relative(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cloudformation.Import(text, cloudformation.Options{}); err != nil {
		t.Errorf("our own reader of templates: %v", err)
	}
	var tmpl template
	if err := yaml.Unmarshal(text, &tmpl); err != nil {
		t.Fatal(err)
	}
	if len(tmpl.Resources) != 12 {
		t.Errorf("%d resources", len(tmpl.Resources))
	}
	needs := map[string][]string{}
	for name, r := range tmpl.Resources {
		properties, known := required[r.Type]
		if !known {
			t.Errorf("%s is of type %q", name, r.Type)
		}
		for _, property := range properties {
			if r.Properties[property] == nil {
				t.Errorf("%s has no %s", name, property)
			}
		}
		needs[name] = append(samRefs(r.Properties), r.DependsOn...)
		for _, ref := range needs[name] {
			if _, there := tmpl.Resources[ref]; !there {
				t.Errorf("%s refers to %s, which is not there", name, ref)
			}
		}
	}
	acyclic(t, needs)
	price := tmpl.Resources["FunctionPrice"].Properties
	env := price["Environment"].(map[string]any)["Variables"].(map[string]any)
	if d := cmp.Diff(map[string]any{"Ref": "TableRecords"}, env["WEFT_TABLE"]); d != "" || env["LEVEL"] != "9 ${x}" || price["CodeUri"] != "functions/price.zip" {
		t.Errorf("price: %v", price)
	}
	if d := cmp.Diff(map[string]any{"Ref": "FunctionPrice"}, tmpl.Outputs["EntryFunction"].Value); d != "" {
		t.Errorf("the output: %s", d)
	}
}

// acyclic wants no resource to need itself.
func acyclic(t *testing.T, needs map[string][]string) {
	t.Helper()
	var visit func(name string, on []string)
	visit = func(name string, on []string) {
		if slices.Contains(on, name) {
			t.Fatalf("%s needs itself: %v", name, on)
		}
		for _, n := range needs[name] {
			visit(n, append(slices.Clip(on), name))
		}
	}
	for name := range needs {
		visit(name, nil)
	}
}

func TestTerraform(t *testing.T) {
	t.Parallel()
	p := shop(t)
	text, err := Terraform(resources(t, p), relative(t, p))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resource map[string]map[string]map[string]any
		Output   map[string]struct{ Value string }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	needs := map[string][]string{}
	ref := regexp.MustCompile(`(?:^|[^$])\$\{(\w+\.[\w-]+)\.(\w+)\}`)
	for kind, byName := range doc.Resource {
		for name, body := range byName {
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			from := kind + "." + name
			for _, m := range ref.FindAllStringSubmatch(string(text), -1) {
				needs[from] = append(needs[from], m[1])
			}
			if list, ok := body["depends_on"].([]any); ok {
				for _, m := range list {
					needs[from] = append(needs[from], m.(string))
				}
			}
		}
	}
	for from, list := range needs {
		for _, to := range list {
			kind, name, _ := strings.Cut(to, ".")
			if doc.Resource[kind][name] == nil {
				t.Errorf("%s refers to %s, which is not there", from, to)
			}
		}
	}
	acyclic(t, needs)
	price := doc.Resource["aws_lambda_function"]["price"]
	env := price["environment"].(map[string]any)["variables"].(map[string]any)
	if env["WEFT_TABLE"] != "${aws_dynamodb_table.records.name}" || env["LEVEL"] != "9 $${x}" || price["role"] != "${aws_iam_role.functions.arn}" {
		t.Errorf("price: %v", price)
	}
	var policy document[Statement]
	if err := json.Unmarshal([]byte(doc.Resource["aws_iam_role_policy"]["functions"]["policy"].(string)), &policy); err != nil || len(policy.Statement) != 4 {
		t.Errorf("the policy is %v, %v", policy, err)
	}
	if len(doc.Resource["aws_lambda_function_recursion_config"]) != 3 || doc.Output["entry_function"].Value != "${aws_lambda_function.price.function_name}" {
		t.Errorf("%s", text)
	}
}
