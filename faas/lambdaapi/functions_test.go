package lambdaapi_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
)

// pack makes a ZIP archive of pairs of names and texts, all of them executable.
func pack(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		h.SetMode(fs.FileMode(0o755))
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(files[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const role = "arn:aws:iam::123456789012:role/worker"

// create makes a function and waits until it is active, as a deployment does.
func create(t *testing.T, client *lambda.Client, in *lambda.CreateFunctionInput) {
	t.Helper()
	in.Role = aws.String(role)
	out, err := client.CreateFunction(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.State != types.StatePending || out.StateReasonCode != types.StateReasonCodeCreating {
		t.Errorf("a new function is %s (%s)", out.State, out.StateReasonCode)
	}
	waiter := lambda.NewFunctionActiveV2Waiter(client, func(o *lambda.FunctionActiveV2WaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: in.FunctionName}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// updated waits until an update has been made.
func updated(t *testing.T, client *lambda.Client, name string) {
	t.Helper()
	waiter := lambda.NewFunctionUpdatedV2Waiter(client, func(o *lambda.FunctionUpdatedV2WaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func invoke(t *testing.T, client *lambda.Client, name, payload, want string) {
	t.Helper()
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Payload) != want {
		t.Errorf("%s answered %s %s, want %s", name, out.Payload, aws.ToString(out.FunctionError), want)
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("there is no %s", program)
	}
}

// TestPythonWithLayers takes a function with two layers and an exec wrapper through its life.
func TestPythonWithLayers(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	dir := t.TempDir()
	s, client := serve(t, lambdaapi.Config{Dir: dir, Env: []string{"SHARED=1"}}, 0)
	var layers []string
	for _, files := range [][]string{
		{"python/greet.py", "WORD = 'hello'", "wrap", "#!/bin/sh\nexport WRAPPED=\"with $SHARED\"\nexec \"$@\"\n"},
		{"python/greet.py", "WORD = 'good day'"}, // over the first
	} {
		v, err := client.PublishLayerVersion(t.Context(), &lambda.PublishLayerVersionInput{
			LayerName: aws.String("tools"), Content: &types.LayerVersionContentInput{ZipFile: pack(t, files...)}, Description: aws.String("d")})
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, *v.LayerVersionArn)
	}
	if want := "arn:aws:lambda:us-east-1:123456789012:layer:tools:2"; layers[1] != want {
		t.Errorf("the second version is %s, want %s", layers[1], want)
	}
	const source = "import greet, os\ndef handle(event, context):\n    return [greet.WORD, os.environ['WRAPPED'], event]\n"
	create(t, client, &lambda.CreateFunctionInput{
		FunctionName: aws.String("py"), Runtime: types.RuntimePython312, Handler: aws.String("src/app.handle"), Layers: layers,
		Code:        &types.FunctionCode{ZipFile: pack(t, "src/app.py", source)},
		Environment: &types.Environment{Variables: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrap"}},
	})
	invoke(t, client, "py", `{"n":1}`, `["good day","with 1",{"n":1}]`)
	if _, err := client.DeleteLayerVersion(t.Context(), &lambda.DeleteLayerVersionInput{LayerName: aws.String("tools"), VersionNumber: aws.Int64(2)}); err != nil {
		t.Error(err)
	}
	if _, err := client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("py"),
		ZipFile: pack(t, "src/app.py", strings.ReplaceAll(source, "[greet", "['new', greet"))}); err != nil {
		t.Fatal(err)
	}
	updated(t, client, "py")
	invoke(t, client, "py", `{}`, `["new","good day","with 1",{}]`) // the layer that was deleted stays
	if _, err := client.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("py"),
		Environment: &types.Environment{Variables: map[string]string{"WRAPPED": "not"}}, Layers: layers[:1], Timeout: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	updated(t, client, "py")
	invoke(t, client, "py", `{}`, `["new","hello","not",{}]`)
	if settings, err := s.Settings("py"); err != nil || settings.Timeout != 7*time.Second {
		t.Errorf("the time-out is %v, %v", settings.Timeout, err)
	}
	if _, err := client.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("py")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v %v", left, err)
	}
}

func TestOtherRuntimes(t *testing.T) {
	t.Parallel()
	_, client := serve(t, lambdaapi.Config{Dir: t.TempDir()}, 0)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	create(t, client, &lambda.CreateFunctionInput{
		FunctionName: aws.String("go"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("weft"), MemorySize: aws.Int32(256),
		Code:        &types.FunctionCode{ZipFile: pack(t, "bootstrap", "#!/bin/sh\nexec \"$SELF\"\n")},
		Environment: &types.Environment{Variables: map[string]string{"SELF": self, "WEFT_TEST_BOOTSTRAP": "1"}},
	})
	invoke(t, client, "go", `[1]`, `{"got":[1],"handler":"weft","memory":"256"}`)
	t.Run("node", func(t *testing.T) {
		need(t, "node")
		create(t, client, &lambda.CreateFunctionInput{
			FunctionName: aws.String("js"), Runtime: types.RuntimeNodejs20x, Handler: aws.String("app.handler"),
			Code: &types.FunctionCode{ZipFile: pack(t, "app.mjs", "export const handler = async (event) => ({ got: event });")},
		})
		invoke(t, client, "js", `{"a":"é"}`, `{"got":{"a":"é"}}`)
	})
	create(t, client, &lambda.CreateFunctionInput{
		FunctionName: aws.String("none"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("x"), Code: &types.FunctionCode{ZipFile: pack(t, "README", "nothing to run")},
	})
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("none")})
	if err != nil || aws.ToString(out.FunctionError) != "Unhandled" || !bytes.Contains(out.Payload, []byte(`"errorType":"Runtime.InvalidEntrypoint"`)) {
		t.Errorf("a package without a bootstrap: %+v %v", out, err)
	}
}

// TestDescriptions looks at what is told of functions, also of those that were registered in process.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	s, client := serve(t, lambdaapi.Config{Dir: t.TempDir()}, 0)
	register(t, s, "inside", faas.Settings{Timeout: time.Minute}, nil)
	code := pack(t, "bootstrap", "")
	create(t, client, &lambda.CreateFunctionInput{FunctionName: aws.String("made"), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("x"),
		Code: &types.FunctionCode{ZipFile: code}, Tags: map[string]string{"app": "text"}, Architectures: []types.Architecture{types.ArchitectureArm64}})
	arn := aws.String(s.ARN("made"))
	if _, err := client.TagResource(t.Context(), &lambda.TagResourceInput{Resource: arn, Tags: map[string]string{"b": "2", "c": "3"}}); err != nil {
		t.Error(err)
	}
	if _, err := client.UntagResource(t.Context(), &lambda.UntagResourceInput{Resource: arn, TagKeys: []string{"b"}}); err != nil {
		t.Error(err)
	}
	f, err := client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: arn})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"app": "text", "c": "3"}, f.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	c := f.Configuration
	if c.State != types.StateActive || c.LastUpdateStatus != types.LastUpdateStatusSuccessful || c.CodeSize != int64(len(code)) ||
		*c.Timeout != 3 || *c.MemorySize != 128 || *c.Role != role || *c.Version != "$LATEST" || len(*c.RevisionId) != 36 || len(*c.CodeSha256) != 44 ||
		!slices.Equal(c.Architectures, []types.Architecture{types.ArchitectureArm64}) {
		t.Errorf("described as %+v", c)
	}
	list, err := client.ListFunctions(t.Context(), &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	if err != nil || len(list.Functions) != 1 || *list.Functions[0].FunctionName != "inside" || *list.Functions[0].Timeout != 60 || list.NextMarker == nil {
		t.Fatalf("the first page: %+v %v", list, err)
	}
	list, err = client.ListFunctions(t.Context(), &lambda.ListFunctionsInput{MaxItems: aws.Int32(1), Marker: list.NextMarker})
	if err != nil || len(list.Functions) != 1 || *list.Functions[0].FunctionName != "made" || list.NextMarker != nil {
		t.Errorf("the second page: %+v %v", list, err)
	}
	stale := aws.String("00000000-0000-0000-0000-000000000000")
	_, err = client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: arn, ZipFile: code, RevisionId: stale})
	var old *types.PreconditionFailedException
	if !errors.As(err, &old) {
		t.Errorf("an update of an old revision: %v", err)
	}
}

// TestEventConfigs sets how events are executed, and looks at what the faas makes of it.
func TestEventConfigs(t *testing.T) {
	t.Parallel()
	s, client := serve(t, lambdaapi.Config{}, 0.0001)
	records := make(chan string, 1)
	register(t, s, "bad", faas.Settings{}, func(_ context.Context, _ []byte) ([]byte, error) { return nil, errors.New("no luck") })
	register(t, s, "sink", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) { records <- string(in); return nil, nil })
	name := aws.String("bad")
	var none *types.ResourceNotFoundException
	if _, err := client.GetFunctionEventInvokeConfig(t.Context(), &lambda.GetFunctionEventInvokeConfigInput{FunctionName: name}); !errors.As(err, &none) {
		t.Errorf("before: %v", err)
	}
	if _, err := client.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	out, err := client.UpdateFunctionEventInvokeConfig(t.Context(), &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: name,
		MaximumEventAgeInSeconds: aws.Int32(3600), DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(s.ARN("sink"))}}})
	if err != nil || *out.MaximumRetryAttempts != 1 || *out.MaximumEventAgeInSeconds != 3600 || *out.DestinationConfig.OnFailure.Destination != s.ARN("sink") ||
		time.Since(*out.LastModified).Abs() > time.Hour {
		t.Fatalf("%+v %v", out, err)
	}
	if _, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeEvent}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, records); !strings.Contains(got, `"condition":"RetriesExhausted","approximateInvokeCount":2}`) {
		t.Errorf("the record is %s", got)
	}
	if _, err := client.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(5)}); err != nil {
		t.Error(err)
	}
	got, err := client.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: name})
	if err != nil || aws.ToInt32(got.ReservedConcurrentExecutions) != 5 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := client.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteFunctionEventInvokeConfig(t.Context(), &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: name}); err != nil {
		t.Error(err)
	}
	settings, err := s.Settings("bad")
	if diff := cmp.Diff(faas.Settings{}, settings); diff != "" || err != nil {
		t.Errorf("afterwards, %v (-want +got):\n%s", err, diff)
	}
	loop, err := client.PutFunctionRecursionConfig(t.Context(), &lambda.PutFunctionRecursionConfigInput{FunctionName: name, RecursiveLoop: types.RecursiveLoopAllow})
	if err != nil || loop.RecursiveLoop != types.RecursiveLoopAllow {
		t.Errorf("%+v %v", loop, err)
	}
}

// TestWrongFunctions holds what cannot be created to Lambda's errors.
func TestWrongFunctions(t *testing.T) {
	t.Parallel()
	s, client := serve(t, lambdaapi.Config{Dir: t.TempDir(), Role: func(arn string) bool { return arn == role }}, 0)
	register(t, s, "taken", faas.Settings{}, nil)
	for _, c := range []struct {
		change func(in *lambda.CreateFunctionInput)
		want   string
	}{
		{func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("taken") }, "ResourceConflictException: Function already exist: taken"},
		{func(in *lambda.CreateFunctionInput) { in.Role = aws.String(role + "s") }, "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."},
		{func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = []byte("no archive") }, "InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again."},
		{func(in *lambda.CreateFunctionInput) { in.Code.ZipFile, in.Code.S3Bucket = nil, aws.String("b") }, "InvalidParameterValueException: this endpoint has no S3: send the code as ZipFile"},
		{func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(901) },
			"InvalidParameterValueException: 1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		{func(in *lambda.CreateFunctionInput) { in.Runtime = "java21" },
			"InvalidParameterValueException: Value java21 at 'runtime' failed to satisfy constraint: this endpoint has the runtimes python3.*, nodejs*.x, provided.al2 and provided.al2023"},
		{func(in *lambda.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:123456789012:layer:no:1"}
		},
			"InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:123456789012:layer:no:1 does not exist."},
		{func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"A": strings.Repeat("x", 4096)}}
		}, "InvalidParameterValueException: Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. They have 4097 bytes"},
	} {
		in := &lambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(role), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("x"),
			Code: &types.FunctionCode{ZipFile: pack(t, "bootstrap", "")}}
		c.change(in)
		_, err := client.CreateFunction(t.Context(), in)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode()+": "+api.ErrorMessage() != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

// TestArchivesStayInside unpacks archives that would write elsewhere.
func TestArchivesStayInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, client := serve(t, lambdaapi.Config{Dir: dir + "/code"}, 0)
	for i, name := range []string{"../../../evil", "a/../../../../evil", "/evil"} {
		fn := aws.String("f" + string(rune('0'+i)))
		_, err := client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: fn, Role: aws.String(role), Runtime: types.RuntimeProvidedal2023,
			Handler: aws.String("x"), Code: &types.FunctionCode{ZipFile: pack(t, name, "evil")}})
		if err != nil {
			continue // refused at once
		}
		for {
			c, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: fn})
			if err != nil {
				t.Fatal(err)
			}
			if c.State == types.StatePending {
				continue
			}
			if c.State != types.StateFailed {
				t.Errorf("%s: the function is %s", name, c.State)
			}
			break
		}
		_, err = client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: fn})
		var conflict *types.ResourceConflictException
		if !errors.As(err, &conflict) {
			t.Errorf("%s: invoked a function that failed to be made: %v", name, err)
		}
	}
	if _, err := os.Stat(dir + "/evil"); err == nil {
		t.Error("an archive wrote outside of its directory")
	}
}
