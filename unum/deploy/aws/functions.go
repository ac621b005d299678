package aws

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// zipBytes is how large an archive may be that goes along with a request.
const zipBytes = 50 << 20

// readZip reads an archive that is to be uploaded.
func readZip(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil && len(data) > zipBytes {
		return nil, fault.New("aws.upload", fault.LimitExceeded, path, "the archive has %d bytes and Lambda takes %d with a request: leave out what the function does not need", len(data), zipBytes)
	}
	return data, err
}

func (t *Target) readLayer(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	out, err := t.Lambda.ListLayerVersions(ctx, &lambda.ListLayerVersionsInput{LayerName: &r.Name})
	if err != nil || len(out.LayerVersions) == 0 {
		return nil, err
	}
	return &deploy.Observed{Spec: r.Spec, Attrs: deploy.Attrs{"arn": str(out.LayerVersions[0].LayerVersionArn)}}, nil
}

func (t *Target) createLayer(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Layer)
	data, err := readZip(spec.Archive)
	if err != nil {
		return nil, err
	}
	out, err := t.Lambda.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
		LayerName: &r.Name, Content: &types.LayerVersionContentInput{ZipFile: data},
		CompatibleArchitectures: []types.Architecture{types.Architecture(spec.Arch)},
		Description:             aws.String("The runtime of Weft that starts before the language's"),
	})
	if err != nil {
		return nil, err
	}
	return deploy.Attrs{"arn": str(out.LayerVersionArn)}, nil
}

func (t *Target) deleteLayer(ctx context.Context, o *deploy.Owned) error {
	for {
		out, err := t.Lambda.ListLayerVersions(ctx, &lambda.ListLayerVersionsInput{LayerName: &o.Name})
		if err != nil || len(out.LayerVersions) == 0 {
			return err
		}
		for _, v := range out.LayerVersions {
			if _, err := t.Lambda.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &o.Name, VersionNumber: &v.Version}); err != nil {
				return err
			}
		}
	}
}

func (t *Target) readFunction(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	out, err := t.Lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &r.Name})
	if err != nil {
		return nil, err
	}
	c, want := out.Configuration, r.Spec.(*Function)
	is := &Function{
		Runtime: string(c.Runtime), Handler: str(c.Handler), Role: str(c.Role), Arch: "x86_64",
		MemoryMB: int(aws.ToInt32(c.MemorySize)), Seconds: int(aws.ToInt32(c.Timeout)),
		Archive: want.Archive, Hash: str(c.CodeSha256), Owner: out.Tags[Tag],
	}
	if len(c.Architectures) > 0 {
		is.Arch = string(c.Architectures[0])
	}
	if c.Environment != nil {
		is.Env = c.Environment.Variables
	}
	for _, l := range c.Layers {
		is.Layers = append(is.Layers, str(l.Arn))
	}
	loops, err := t.Lambda.GetFunctionRecursionConfig(ctx, &lambda.GetFunctionRecursionConfigInput{FunctionName: &r.Name})
	if err != nil {
		return nil, err
	}
	is.Loops = string(loops.RecursiveLoop)
	return &deploy.Observed{Spec: is, Attrs: functionAttrs(str(c.FunctionArn), r.Name), Foreign: is.Owner != want.Owner}, nil
}

func functionAttrs(arn, name string) deploy.Attrs { return deploy.Attrs{"arn": arn, "name": name} }

func (t *Target) createFunction(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Function)
	data, err := readZip(spec.Archive)
	if err != nil {
		return nil, err
	}
	var arn string
	err = t.until(ctx, "the function's role", func() (bool, error) {
		out, err := t.Lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: &r.Name, Runtime: types.Runtime(spec.Runtime), Handler: &spec.Handler, Role: &spec.Role,
			Architectures: []types.Architecture{types.Architecture(spec.Arch)}, Code: &types.FunctionCode{ZipFile: data},
			MemorySize: aws.Int32(int32(spec.MemoryMB)), Timeout: aws.Int32(int32(spec.Seconds)),
			Environment: &types.Environment{Variables: spec.Env}, Layers: spec.Layers, Tags: map[string]string{Tag: spec.Owner},
		})
		if unknownRole(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		arn = str(out.FunctionArn)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if err := t.functionReady(ctx, r.Name); err != nil {
		return nil, err
	}
	return functionAttrs(arn, r.Name), t.setLoops(ctx, r.Name, spec.Loops)
}

// setLoops says what becomes of requests that come back to a function again and again.
func (t *Target) setLoops(ctx context.Context, name, loops string) error {
	_, err := t.Lambda.PutFunctionRecursionConfig(ctx, &lambda.PutFunctionRecursionConfigInput{FunctionName: &name, RecursiveLoop: types.RecursiveLoop(loops)})
	return err
}

// unknownRole reports whether Lambda has not heard yet of a role that is there.
func unknownRole(err error) bool {
	return codeOf(err) == "InvalidParameterValueException" && strings.Contains(err.Error(), "cannot be assumed")
}

// functionReady waits until a function is as it was last asked to be.
func (t *Target) functionReady(ctx context.Context, name string) error {
	return t.until(ctx, "the function", func() (bool, error) {
		out, err := t.Lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
		if err != nil {
			return false, err
		}
		c := out.Configuration
		if c.State == types.StateFailed || c.LastUpdateStatus == types.LastUpdateStatusFailed {
			return false, fault.New("aws.function", fault.Conflict, name, "Lambda could not take it: %s %s", str(c.StateReason), str(c.LastUpdateStatusReason))
		}
		return c.State != types.StatePending && c.LastUpdateStatus != types.LastUpdateStatusInProgress, nil
	})
}

// updateFunction changes the code before the configuration. What is executed between fails or not, and what fails is tried
// again.
func (t *Target) updateFunction(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec, is := r.Spec.(*Function), was.Spec.(*Function)
	if is.Owner != spec.Owner {
		arn := was.Attrs["arn"]
		if _, err := t.Lambda.TagResource(ctx, &lambda.TagResourceInput{Resource: &arn, Tags: map[string]string{Tag: spec.Owner}}); err != nil {
			return nil, err
		}
	}
	if err := t.functionReady(ctx, r.Name); err != nil {
		return nil, err
	}
	if is.Hash != spec.Hash || is.Arch != spec.Arch {
		data, err := readZip(spec.Archive)
		if err != nil {
			return nil, err
		}
		_, err = t.Lambda.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
			FunctionName: &r.Name, ZipFile: data, Architectures: []types.Architecture{types.Architecture(spec.Arch)},
		})
		if err != nil {
			return nil, err
		}
		if err := t.functionReady(ctx, r.Name); err != nil {
			return nil, err
		}
	}
	if is.Loops != spec.Loops {
		if err := t.setLoops(ctx, r.Name, spec.Loops); err != nil {
			return nil, err
		}
	}
	if !sameConfiguration(is, spec) {
		_, err := t.Lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &r.Name, Runtime: types.Runtime(spec.Runtime), Handler: &spec.Handler, Role: &spec.Role,
			MemorySize: aws.Int32(int32(spec.MemoryMB)), Timeout: aws.Int32(int32(spec.Seconds)),
			Environment: &types.Environment{Variables: spec.Env}, Layers: append([]string{}, spec.Layers...),
		})
		if err != nil {
			return nil, err
		}
	}
	return was.Attrs, t.functionReady(ctx, r.Name)
}

func sameConfiguration(a, b *Function) bool {
	return a.Runtime == b.Runtime && a.Handler == b.Handler && a.Role == b.Role && a.MemoryMB == b.MemoryMB && a.Seconds == b.Seconds &&
		maps.Equal(a.Env, b.Env) && slices.Equal(a.Layers, b.Layers)
}

func (t *Target) deleteFunction(ctx context.Context, o *deploy.Owned) error {
	_, err := t.Lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &o.Name})
	return err
}

func (t *Target) readEvents(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	out, err := t.Lambda.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: &r.Name})
	if err != nil {
		return nil, err
	}
	is := &Events{
		Function: r.Spec.(*Events).Function,
		Retries:  int(aws.ToInt32(out.MaximumRetryAttempts)), MaxAgeSeconds: int(aws.ToInt32(out.MaximumEventAgeInSeconds)),
	}
	if d := out.DestinationConfig; d != nil && d.OnFailure != nil {
		is.OnFailure = str(d.OnFailure.Destination)
	}
	return &deploy.Observed{Spec: is, Attrs: deploy.Attrs{}}, nil
}

func (t *Target) createEvents(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Events)
	_, err := t.Lambda.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: &spec.Function, MaximumRetryAttempts: aws.Int32(int32(spec.Retries)), MaximumEventAgeInSeconds: aws.Int32(int32(spec.MaxAgeSeconds)),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &spec.OnFailure}},
	})
	return deploy.Attrs{}, err
}

func (t *Target) updateEvents(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	return t.createEvents(ctx, r)
}

func (t *Target) deleteEvents(ctx context.Context, o *deploy.Owned) error {
	_, err := t.Lambda.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: &o.Name})
	return err
}

// mapping returns what connects a queue with a function; nil if nothing does.
func (t *Target) mapping(ctx context.Context, spec *Mapping) (*types.EventSourceMappingConfiguration, error) {
	out, err := t.Lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: &spec.Function, EventSourceArn: &spec.Queue})
	if err != nil {
		return nil, err
	}
	for i := range out.EventSourceMappings {
		if m := &out.EventSourceMappings[i]; str(m.EventSourceArn) == spec.Queue && str(m.State) != "Deleting" {
			return m, nil
		}
	}
	return nil, nil
}

func (t *Target) readMapping(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	spec := r.Spec.(*Mapping)
	if strings.Contains(spec.Queue+spec.Function, "${") {
		return nil, nil // neither is there yet
	}
	m, err := t.mapping(ctx, spec)
	if m == nil || err != nil {
		return nil, err
	}
	return &deploy.Observed{
		Spec:  &Mapping{spec.Function, str(m.EventSourceArn), int(aws.ToInt32(m.BatchSize))},
		Attrs: deploy.Attrs{"uuid": str(m.UUID)},
	}, nil
}

func (t *Target) createMapping(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Mapping)
	var uuid string
	err := t.until(ctx, "the role's policy", func() (bool, error) {
		out, err := t.Lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
			FunctionName: &spec.Function, EventSourceArn: &spec.Queue, BatchSize: aws.Int32(int32(spec.Batch)),
			FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		})
		if codeOf(err) == "InvalidParameterValueException" && strings.Contains(err.Error(), "permissions") {
			return false, nil // Lambda has not heard yet of the policy
		}
		if err != nil {
			return false, err
		}
		uuid = str(out.UUID)
		return true, nil
	})
	return deploy.Attrs{"uuid": uuid}, err
}

// deleteMapping removes all that hands something to the function, which is the mapping's name.
func (t *Target) deleteMapping(ctx context.Context, o *deploy.Owned) error {
	out, err := t.Lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: &o.Name})
	if err != nil {
		return err
	}
	for i := range out.EventSourceMappings {
		_, err := t.Lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: out.EventSourceMappings[i].UUID})
		if err != nil && !absent(err) && codeOf(err) != "ResourceInUseException" { // it is being deleted
			return err
		}
	}
	return nil
}
