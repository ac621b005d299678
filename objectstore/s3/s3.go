// Package s3 is the object store that speaks to Amazon S3, or to any server with its API.
//
//	store, err := s3.Open(ctx, s3.Options{Endpoint: "http://127.0.0.1:9000", Region: "us-east-1", PathStyle: true})
//
// A request that fails in a way that may pass is tried again, as the SDK does it. A reader whose connection breaks, or that
// was left alone until the server closed it, goes on at the byte where it was, in the same version of the object. A
// writer holds one part; the others are on the server.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

// Options say where the server is. The zero value is S3, with what the environment and the AWS configuration files say.
type Options struct {
	// Endpoint is the server's URL; "": that of S3 in the region.
	Endpoint string
	// Region is signed into requests; "": what the environment says, or us-east-1.
	Region string
	// Profile is one of the AWS configuration files; "": AWS_PROFILE, or the default.
	Profile string
	// PathStyle puts buckets into paths and not into host names: most servers other than S3 need it.
	PathStyle bool
	// Credentials sign the requests; nil: those that the AWS SDK finds (environment, files, role of the machine). With
	// an Endpoint, none are looked for on the machine's network, and where none are found requests are not signed.
	Credentials aws.CredentialsProvider
	// PartBytes is the size of the parts of what is larger, and what a writer holds: at least 5 MiB, of which S3 takes
	// 10,000; 0: 8 MiB.
	PartBytes int
}

const (
	partBytes     = 8 << 20
	defaultRegion = "us-east-1"
	// readAttempts bounds how often a reader connects again without getting a byte.
	readAttempts = 3
)

// Store is the store behind one endpoint.
type Store struct {
	client *s3.Client
	part   int
}

var _ objectstore.Store = (*Store)(nil)

// Open makes a store. It does not connect: what is wrong with endpoint or credentials shows at the first request.
func Open(ctx context.Context, o Options) (*Store, error) {
	const op = "objectstore/s3.Open"
	if o.PartBytes == 0 {
		o.PartBytes = partBytes
	}
	load := []func(*config.LoadOptions) error{config.WithDefaultRegion(defaultRegion)}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(o.Credentials))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Endpoint != "" {
		load = append(load, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	c, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fault.New(op, fault.InvalidArgument, o.Endpoint, "%w", err)
	}
	if o.Endpoint != "" && o.Credentials == nil {
		if _, err := c.Credentials.Retrieve(ctx); err != nil {
			c.Credentials = aws.AnonymousCredentials{}
		}
	}
	client := s3.NewFromConfig(c, func(s *s3.Options) {
		s.UsePathStyle = o.PathStyle
		if o.Endpoint != "" {
			s.BaseEndpoint = aws.String(o.Endpoint)
			// Servers other than S3 do not all know the checksums that the SDK adds on its own.
			s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
			s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		}
	})
	return &Store{client: client, part: o.PartBytes}, nil
}

// Get reads an object.
func (s *Store) Get(ctx context.Context, name objectstore.Name, o objectstore.GetOptions) (*objectstore.Object, error) {
	in := &s3.GetObjectInput{Bucket: &name.Bucket, Key: &name.Key, VersionId: optional(name.Version), IfMatch: optional(o.Match)}
	if o.Offset > 0 || o.Length > 0 {
		span := fmt.Sprintf("bytes=%d-", o.Offset)
		if o.Length > 0 {
			span += fmt.Sprint(o.Offset + o.Length - 1)
		}
		in.Range = &span
	}
	out, err := s.client.GetObject(ctx, in)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return s.empty(ctx, name, o)
	}
	if err != nil {
		return nil, failed(ctx, "Get", name, err)
	}
	info := objectstore.Info{
		Key: name.Key, Version: aws.ToString(out.VersionId), ETag: aws.ToString(out.ETag), Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(), StorageClass: class(string(out.StorageClass)),
	}
	r := &reader{ctx: ctx, store: s, name: name, etag: info.ETag, offset: o.Offset, end: o.Offset + info.Size, body: out.Body}
	if out.ContentRange != nil {
		if _, err := fmt.Sscanf(*out.ContentRange, "bytes %d-%d/%d", new(int64), new(int64), &info.Size); err != nil {
			info.Size = r.end
		}
	}
	return &objectstore.Object{Info: info, Body: r}, nil
}

// empty answers a Get past the end of an object.
func (s *Store) empty(ctx context.Context, name objectstore.Name, o objectstore.GetOptions) (*objectstore.Object, error) {
	info, err := s.head(ctx, "Get", name, o.Match)
	if err != nil {
		return nil, err
	}
	return &objectstore.Object{Info: info, Body: http.NoBody}, nil
}

// Head describes an object.
func (s *Store) Head(ctx context.Context, name objectstore.Name) (objectstore.Info, error) {
	return s.head(ctx, "Head", name, "")
}

func (s *Store) head(ctx context.Context, op string, name objectstore.Name, match string) (objectstore.Info, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &name.Bucket, Key: &name.Key, VersionId: optional(name.Version), IfMatch: optional(match)})
	if err != nil {
		return objectstore.Info{}, failed(ctx, op, name, err)
	}
	return objectstore.Info{
		Key: name.Key, Version: aws.ToString(out.VersionId), ETag: aws.ToString(out.ETag), Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified).UTC(), StorageClass: class(string(out.StorageClass)),
	}, nil
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, name objectstore.Name) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &name.Bucket, Key: &name.Key, VersionId: optional(name.Version)})
	if err == nil {
		return nil
	}
	if err = failed(ctx, "Delete", name, err); objectstore.IsCode(err, objectstore.NoSuchKey) { // of servers that are not S3
		return nil
	}
	return err
}

// List lists objects, a page of the server's at a time.
func (s *Store) List(ctx context.Context, bucket, prefix, after string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: optional(prefix), StartAfter: optional(after)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(objectstore.Info{}, failed(ctx, "List", objectstore.Name{Bucket: bucket}, err))
				return
			}
			for _, o := range page.Contents {
				info := objectstore.Info{
					Key: aws.ToString(o.Key), ETag: aws.ToString(o.ETag), Size: aws.ToInt64(o.Size),
					Modified: aws.ToTime(o.LastModified).UTC().Truncate(time.Second), StorageClass: class(string(o.StorageClass)),
				}
				if !yield(info, nil) {
					return
				}
			}
		}
	}
}

// optional returns nil for a text that a request does not have.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// class is a storage class; S3 does not name the standard one everywhere.
func class(name string) string {
	if name == "" {
		return objectstore.StorageClassStandard
	}
	return name
}

// status returns the HTTP status of an error; 0: it has none.
func status(err error) int {
	var e *awshttp.ResponseError
	if errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}

// failed makes an objectstore.Error of one of the SDK's. The context's errors stay what they are.
func failed(ctx context.Context, op string, name objectstore.Name, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// What has no code of the server's did not reach one, or was not understood.
	e := objectstore.NewError(op, name, objectstore.InternalError, err)
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message = objectstore.Code(api.ErrorCode()), api.ErrorMessage()
	} else {
		e.Message = err.Error()
	}
	if code := status(err); code != 0 {
		e.Status = code
		// The answer to a HEAD has no body, and so no code.
		if bare, ok := bare[code]; ok && (op == "Head" || e.Message == "" || e.Code == "NotFound") {
			known := objectstore.NewError(op, name, bare, nil)
			e.Code, e.Message = known.Code, known.Message
		}
	}
	var response s3.ResponseError
	if errors.As(err, &response) {
		e.RequestID, e.HostID = response.ServiceRequestID(), response.ServiceHostID()
	}
	return e
}

// bare are the codes of answers that have a status alone.
var bare = map[int]objectstore.Code{
	http.StatusNotFound: objectstore.NoSuchKey, http.StatusForbidden: objectstore.AccessDenied, http.StatusPreconditionFailed: objectstore.PreconditionFailed,
}

// reader is the body of an object, over as many connections as it takes.
type reader struct {
	ctx         context.Context
	store       *Store
	name        objectstore.Name
	etag        string
	offset, end int64
	body        io.ReadCloser
	fruitless   int // connections in a row that gave nothing
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		if r.offset += int64(n); n > 0 {
			r.fruitless = 0
			return n, nil // an error comes again
		}
		switch {
		case err == nil:
			return 0, nil
		case r.offset >= r.end:
			return 0, io.EOF
		case r.ctx.Err() != nil:
			return 0, r.ctx.Err()
		case r.fruitless >= readAttempts:
			return 0, failed(r.ctx, "Get", r.name, err)
		}
		r.fruitless++
		o, err := r.store.Get(r.ctx, r.name, objectstore.GetOptions{Offset: r.offset, Length: r.end - r.offset, Match: r.etag})
		if err != nil {
			return 0, err
		}
		_ = r.body.Close() // it has failed
		if again, ok := o.Body.(*reader); ok {
			r.body = again.body
		} else {
			r.body = o.Body
		}
	}
}

func (r *reader) Close() error { return r.body.Close() }
