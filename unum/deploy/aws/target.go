package aws

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// Target is a region of an AWS account.
type Target struct {
	Region   string
	Lambda   *lambda.Client
	IAM      *iam.Client
	DynamoDB *dynamodb.Client
	SQS      *sqs.Client
	// Pause is how long to wait between two looks at what takes its time to become ready. 0: a second.
	Pause time.Duration
}

// Open returns the target that the SDK's configuration names. region and profile "": as the environment and the files of the
// SDK say.
func Open(ctx context.Context, region, profile string) (*Target, error) {
	var options []func(*config.LoadOptions) error
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fault.New("aws.open", fault.InvalidArgument, profile, "the configuration of the AWS SDK cannot be read: %w", err)
	}
	if cfg.Region == "" {
		return nil, fault.New("aws.open", fault.InvalidArgument, "", "no region is configured: give --region, or set AWS_REGION")
	}
	return &Target{
		Region: cfg.Region, Lambda: lambda.NewFromConfig(cfg), IAM: iam.NewFromConfig(cfg),
		DynamoDB: dynamodb.NewFromConfig(cfg), SQS: sqs.NewFromConfig(cfg),
	}, nil
}

// driver does what Target does for one kind of resource.
type driver struct {
	read   func(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error)
	create func(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error)
	update func(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error)
	remove func(ctx context.Context, o *deploy.Owned) error
}

func (t *Target) driver(id deploy.ID) (*driver, error) {
	switch id.Kind() {
	case "role":
		return &driver{t.readRole, t.createRole, t.updateRole, t.deleteRole}, nil
	case "policy":
		return &driver{t.readPolicy, t.createPolicy, t.updatePolicy, t.deletePolicy}, nil
	case "table":
		return &driver{t.readTable, t.createTable, t.updateTable, t.deleteTable}, nil
	case "queue":
		return &driver{t.readQueue, t.createQueue, t.updateQueue, t.deleteQueue}, nil
	case "layer":
		return &driver{t.readLayer, t.createLayer, nil, t.deleteLayer}, nil
	case "function":
		return &driver{t.readFunction, t.createFunction, t.updateFunction, t.deleteFunction}, nil
	case "events":
		return &driver{t.readEvents, t.createEvents, t.updateEvents, t.deleteEvents}, nil
	case "mapping":
		return &driver{t.readMapping, t.createMapping, nil, t.deleteMapping}, nil
	}
	return nil, fault.New("aws.target", fault.Internal, string(id), "AWS has no resources of this kind")
}

// Read implements deploy.Target.
func (t *Target) Read(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	o, err := d.read(ctx, r)
	if absent(err) {
		return nil, nil
	}
	return o, wrap("aws.read", r.Name, err)
}

// Create implements deploy.Target.
func (t *Target) Create(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	attrs, err := d.create(ctx, r)
	return attrs, wrap("aws.create", r.Name, err)
}

// Update implements deploy.Target.
func (t *Target) Update(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	if d.update == nil {
		return nil, fault.New("aws.update", fault.Conflict, r.Name, "a %s cannot be changed: destroy the deployment and deploy it again", r.ID.Kind())
	}
	attrs, err := d.update(ctx, r, was)
	return attrs, wrap("aws.update", r.Name, err)
}

// Delete implements deploy.Target.
func (t *Target) Delete(ctx context.Context, o *deploy.Owned) error {
	d, err := t.driver(o.ID)
	if err != nil {
		return err
	}
	if err = d.remove(ctx, o); absent(err) {
		return nil
	}
	return wrap("aws.delete", o.Name, err)
}

// codeOf is AWS's name for an error; "" when it is none of AWS's.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// absent reports whether an error says that something is not there.
func absent(err error) bool {
	switch codeOf(err) {
	case "NoSuchEntity", "NoSuchEntityException", "ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist":
		return true
	}
	return false
}

// wrap makes an error of AWS one of ours, with what to do.
func wrap(op, subject string, err error) error {
	var own *fault.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch code := codeOf(err); code {
	case "AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException":
		return fault.New(op, fault.Unauthorized, subject, "AWS does not let these credentials do that; docs/unum-deploy.md lists what a deployment needs: %w", err)
	case "":
		return fault.New(op, fault.Unavailable, subject, "%w", err)
	default:
		return fault.New(op, fault.Conflict, subject, "%w", err)
	}
}

// waits is how often something is looked at until it is ready: with a pause of a second, five minutes.
const waits = 300

// until calls ready until it says so.
func (t *Target) until(ctx context.Context, what string, ready func() (bool, error)) error {
	pause := t.Pause
	if pause == 0 {
		pause = time.Second
	}
	for range waits {
		ok, err := ready()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return fmt.Errorf("%s did not become ready", what)
}

// str is the text that a pointer of the SDK points to.
func str(p *string) string { return aws.ToString(p) }
