// Package awssdk integrates services of AWS, or of what speaks their protocols, through the AWS SDK for Go: every
// action of S3, SQS and DynamoDB as "aws-sdk:SERVICE:ACTION", and the optimised "sqs:sendMessage",
// "dynamodb:getItem", "dynamodb:putItem", "dynamodb:updateItem" and "dynamodb:deleteItem".
//
// Arguments and answers have the names and the shapes that Step Functions gives them, errors its names and causes:
// the optimised integrations' as AWS's first Java SDK words them ("SQS.AmazonSQSException", "… (Service: AmazonSQS;
// Status Code: 400; …)") with SdkHttpMetadata in the answers, the others' as the second does ("Sqs.SqsException",
// "… (Service: Sqs, Status Code: 400, …)"). What a service asks of arguments the service itself says; nothing is
// checked before. S3 may be a directory instead (Config.Objects), with some of its actions.
//
//	set := integration.NewSet()
//	err := awssdk.Register(set, awssdk.Config{Endpoints: map[string]string{"sqs": "http://127.0.0.1:9324"}})
package awssdk

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/objectstore/s3api"
)

// Config says where the services are. The zero value is AWS, with the region and the credentials that the environment
// and the files in ~/.aws give.
type Config struct {
	// Region is the region of the services. "": that of the environment or the profile, else us-east-1.
	Region string
	// Profile is one of ~/.aws/config. "": AWS_PROFILE, or the default.
	Profile string
	// Endpoints are URLs by service ("s3", "sqs", "dynamodb"); a service without one is where AWS_ENDPOINT_URL_SQS and
	// its like say, else AWS. A service with an endpoint needs no credentials: it gets made up ones when there are none.
	Endpoints map[string]string
	// Objects answers what is asked of S3, in place of a server: there are the actions in s3api.Actions only, and region,
	// profile and credentials mean nothing to them. nil: S3 is where Endpoints say.
	Objects *s3api.Transport
	// HTTP makes the requests. nil: the SDK's own client.
	HTTP aws.HTTPClient
}

// Services are the services that Register adds.
var Services = []string{"dynamodb", "s3", "sqs"}

// Register adds all integrations of the package to set. Nothing is connected, and no credentials are looked for, before
// the first call.
func Register(set *integration.Set, cfg Config) error {
	queues := &service[sqs.Client, sqs.Options]{
		cfg: cfg, id: "sqs", actions: sqsActions, classes: classes{"Sqs", "SQS", "AmazonSQS", "AmazonSQSException", nil},
		connect: func(a aws.Config, endpoint *string) *sqs.Client {
			return sqs.NewFromConfig(a, func(o *sqs.Options) { o.BaseEndpoint = endpoint; o.APIOptions = append(o.APIOptions, unchecked) })
		},
	}
	tables := &service[dynamodb.Client, dynamodb.Options]{
		cfg: cfg, id: "dynamodb", actions: dynamodbActions, unions: dynamodbUnions,
		classes: classes{"DynamoDb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException", nil},
		connect: func(a aws.Config, endpoint *string) *dynamodb.Client {
			return dynamodb.NewFromConfig(a, func(o *dynamodb.Options) {
				o.BaseEndpoint = endpoint
				o.APIOptions = append(o.APIOptions, unchecked)
			})
		},
	}
	objects := &service[s3.Client, s3.Options]{
		cfg: cfg, id: "s3", actions: s3Actions, unions: s3Unions, classes: classes{"S3", "S3", "Amazon S3", "AmazonS3Exception", s3Exceptions},
		connect: func(a aws.Config, endpoint *string) *s3.Client {
			return s3.NewFromConfig(a, func(o *s3.Options) {
				o.BaseEndpoint = endpoint
				o.UsePathStyle = endpoint != nil
				o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // else answers show checksums that nobody asked for
				o.APIOptions = append(o.APIOptions, unchecked)
			})
		},
	}
	if cfg.Objects != nil {
		objects.actions = objects.within(set, s3api.Actions)
		objects.local = cfg.Objects
	}
	for _, add := range []func(*integration.Set) error{queues.register, tables.register, objects.register} {
		if err := add(set); err != nil {
			return err
		}
	}
	for _, name := range []string{"getItem", "putItem", "updateItem", "deleteItem"} {
		if err := set.Register("dynamodb:"+name, tables.integration(name, true, nil)); err != nil {
			return err
		}
	}
	return set.Register("sqs:sendMessage", queues.integration("sendMessage", true, atQueue))
}

// unchecked removes the SDK's own checks of arguments: the service's words are wanted, like on AWS.
func unchecked(stack *middleware.Stack) error {
	_, _ = stack.Initialize.Remove("OperationInputValidation") // an action without one
	return nil
}

// service is one service: C is the SDK's client and P its options.
type service[C, P any] struct {
	cfg     Config
	id      string
	classes classes
	actions map[string]action[C, P]
	unions  unionMembers
	connect func(a aws.Config, endpoint *string) *C
	local   http.RoundTripper // answers in place of a server; nil: there is one

	mu     sync.Mutex
	client *C
}

// action is one action of a service: it makes its input of arguments, and returns its output.
type action[C, P any] struct {
	input reflect.Type
	call  func(ctx context.Context, c *C, u unionMembers, arguments any, opts []func(*P)) (reflect.Value, middleware.Metadata, error)
}

// task is an action as a Task calls it.
type task struct {
	integration.Func
	input reflect.Type
}

// Parameters implements integration.Described.
func (t *task) Parameters() []string {
	names := make([]string, 0, t.input.NumField())
	for i := range t.input.NumField() {
		if f := t.input.Field(i); f.IsExported() {
			names = append(names, f.Name)
		}
	}
	return names
}

// op makes an action of the SDK's method.
func op[C, I, O, P any](method func(*C, context.Context, *I, ...func(*P)) (*O, error)) action[C, P] {
	return action[C, P]{reflect.TypeFor[I](), func(ctx context.Context, c *C, u unionMembers, arguments any, opts []func(*P)) (reflect.Value, middleware.Metadata, error) {
		in := new(I)
		if err := u.decode("", arguments, reflect.ValueOf(in).Elem()); err != nil {
			return reflect.Value{}, middleware.Metadata{}, err
		}
		sayStreamType(reflect.ValueOf(in).Elem())
		out, err := method(c, ctx, in, opts...)
		if err != nil {
			return reflect.Value{}, middleware.Metadata{}, err
		}
		v := reflect.ValueOf(out).Elem()
		meta, _ := v.FieldByName("ResultMetadata").Interface().(middleware.Metadata)
		return v, meta, nil
	}}
}

// within returns the actions that a service in this process has, and tells set why the others are missing.
func (s *service[C, P]) within(set *integration.Set, names []string) map[string]action[C, P] {
	has := map[string]action[C, P]{}
	for name, a := range s.actions {
		if slices.Contains(names, name) {
			has[name] = a
			continue
		}
		set.Lack("aws-sdk:"+s.id+":"+name, name+" needs a server with the API of S3: say in weft.yaml where it is (under aws, endpoints, s3), or "+
			"\"objects: s3\" for Amazon S3; the directory of objects has "+strings.Join(names, ", "))
	}
	return has
}

func (s *service[C, P]) register(set *integration.Set) error {
	for name := range s.actions {
		if err := set.Register("aws-sdk:"+s.id+":"+name, s.integration(name, false, nil)); err != nil {
			return err
		}
	}
	return nil
}

// integration is an action as a Task calls it. adjust may change the client's options for the arguments.
func (s *service[C, P]) integration(name string, optimised bool, adjust func(any) []func(*P)) integration.Integration {
	act := s.actions[name]
	return &task{input: act.input, Func: func(ctx context.Context, req *integration.Request) ([]byte, error) {
		arguments, err := jsonvalue.Parse(req.Arguments)
		if err != nil {
			return nil, err
		}
		client, err := s.get(ctx)
		if err != nil {
			return nil, s.classes.unsent(optimised, err)
		}
		var opts []func(*P)
		if adjust != nil {
			opts = adjust(arguments)
		}
		out, meta, err := act.call(ctx, client, s.unions, arguments, opts)
		if err != nil {
			return nil, s.classes.failure(optimised, err)
		}
		answer, err := s.unions.encodeStruct(out)
		if err != nil {
			return nil, s.classes.unsent(optimised, err)
		}
		if optimised {
			addMetadata(answer, meta)
		} else if s.id == "s3" {
			addUserMetadata(answer, out)
		}
		return jsonvalue.Append(nil, answer), nil
	}}
}

// get returns the client, made by the first call that finds a configuration.
func (s *service[C, P]) get(ctx context.Context) (*C, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, nil
	}
	if s.local != nil {
		s.client = s.connect(aws.Config{
			Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, HTTPClient: &http.Client{Transport: s.local}, Logger: logging.Nop{},
			Retryer:                    func() aws.Retryer { return aws.NopRetryer{} }, // what failed here does so again
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,    // as the SDK's default, which answers show
		}, aws.String("http://"+s.id))
		return s.client, nil
	}
	var endpoint *string
	options := []func(*config.LoadOptions) error{config.WithAppID("weft"), config.WithLogger(logging.Nop{})}
	if e := s.cfg.Endpoints[s.id]; e != "" {
		endpoint = &e
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled)) // who has an endpoint of his own need not be on EC2
	}
	if s.cfg.Region != "" {
		options = append(options, config.WithRegion(s.cfg.Region))
	}
	if s.cfg.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.cfg.Profile))
	}
	a, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	if a.Region == "" {
		a.Region = "us-east-1"
	}
	if s.cfg.HTTP != nil {
		a.HTTPClient = s.cfg.HTTP
	}
	if endpoint != nil {
		a.Credentials = aws.NewCredentialsCache(elseMadeUp{a.Credentials})
	}
	s.client = s.connect(a, endpoint)
	return s.client, nil
}

// elseMadeUp gives made up credentials where there are none: what is behind an endpoint of one's own mostly wants
// a signature, whose does not matter.
type elseMadeUp struct{ chain aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (e elseMadeUp) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if e.chain != nil {
		if found, err := e.chain.Retrieve(ctx); err == nil {
			return found, nil
		}
	}
	return aws.Credentials{AccessKeyID: "weft", SecretAccessKey: "weft", Source: "weft"}, nil
}

// atQueue sends a message where its QueueUrl says, as the optimised integration does; queues of AWS are wherever the
// configuration says that SQS is.
func atQueue(arguments any) []func(*sqs.Options) {
	o, _ := arguments.(*jsonvalue.Object)
	if o == nil {
		return nil
	}
	v, _ := o.Get("QueueUrl")
	s, _ := v.(string)
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Contains(u.Hostname(), ".amazonaws.com") {
		return nil
	}
	endpoint := u.Scheme + "://" + u.Host
	return []func(*sqs.Options){func(opts *sqs.Options) { opts.BaseEndpoint = &endpoint }}
}

// addUserMetadata shows the user's metadata of an object even when there is none, as AWS does.
func addUserMetadata(answer *jsonvalue.Object, out reflect.Value) {
	if f := out.FieldByName("Metadata"); f.IsValid() && f.Kind() == reflect.Map && f.IsNil() {
		answer.Set("Metadata", jsonvalue.NewObject(0))
	}
}

// header is a header's name as AWS's servers spell it, which Go's HTTP client forgets.
func header(name string) string {
	switch lower := strings.ToLower(name); lower {
	case "x-amzn-requestid":
		return "x-amzn-RequestId"
	case "x-amz-crc32":
		return lower
	default:
		return http.CanonicalHeaderKey(name)
	}
}
