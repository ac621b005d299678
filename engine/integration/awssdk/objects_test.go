package awssdk

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/objectstore/s3api"
)

// directory has the integrations with a directory in place of S3.
func directory(t *testing.T) *integration.Set {
	t.Helper()
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	set := integration.NewSet()
	if err := Register(set, Config{Objects: s3api.New(func() (s3api.Store, error) { return store, nil })}); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestObjects does every action there is in a directory, and some that fail.
func TestObjects(t *testing.T) {
	t.Parallel()
	set := directory(t)
	const failed = `(Service: S3, Status Code: `
	tried := map[string]bool{}
	for _, tc := range []struct{ name, arguments, want string }{
		{"createBucket", `{"Bucket":"shop","CreateBucketConfiguration":{"LocationConstraint":"eu-north-1"}}`, `{"Location":"/shop"}`},
		{"createBucket", `{"Bucket":"shop"}`, `S3.BucketAlreadyOwnedByYouException: Your previous request to create the named bucket succeeded and you already own it. ` + failed + `409, *)`},
		{"createBucket", `{"Bucket":"b"}`, `S3.S3Exception: The specified bucket is not valid. ` + failed + `400, *)`},
		{"putObject", `{"Bucket":"shop","Key":"a/ä b.json","Body":{"n":[1.0,"x"]}}`, `{"ChecksumCRC32":"*","ChecksumType":"FULL_OBJECT","ETag":"\"*\""}`},
		{"putObject", `{"Bucket":"shop","Key":"empty","ContentType":"text/csv"}`, `{*"ETag":"\"d41d8cd98f00b204e9800998ecf8427e\""}`},
		{"getObject", `{"Bucket":"shop","Key":"a/ä b.json"}`, `{"AcceptRanges":"bytes","Body":"{\"n\":[1.0,\"x\"]}","ContentLength":15,"ContentType":"binary/octet-stream","ETag":"\"*\"","LastModified":"*Z","Metadata":{}}`},
		{"getObject", `{"Bucket":"shop","Key":"a/ä b.json","Range":"bytes=5-8"}`, `{*"Body":"[1.0","ContentLength":4,"ContentRange":"bytes 5-8/15"*}`},
		{"getObject", `{"Bucket":"shop","Key":"a/ä b.json","Range":"bytes=15-"}`, `S3.S3Exception: The requested range is not satisfiable ` + failed + `416, *)`},
		{"getObject", `{"Bucket":"shop","Key":"none"}`, `S3.NoSuchKeyException: The specified key does not exist. ` + failed + `404, Request ID: *, Extended Request ID: *)`},
		{"getObject", `{"Bucket":"none","Key":"none"}`, `S3.NoSuchBucketException: The specified bucket does not exist ` + failed + `404, *)`},
		{"getObject", `{"Bucket":"shop","Key":"empty","IfMatch":"\"1\""}`, `S3.S3Exception: At least one of the pre-conditions you specified did not hold ` + failed + `412, *)`},
		{"copyObject", `{"Bucket":"shop","Key":"copy","CopySource":"shop/a/%C3%A4%20b.json"}`, `{"CopyObjectResult":{"ETag":"\"*\"","LastModified":"*Z"}}`},
		{"headObject", `{"Bucket":"shop","Key":"copy"}`, `{"AcceptRanges":"bytes","ContentLength":15,*"Metadata":{}}`},
		{"headObject", `{"Bucket":"shop","Key":"none"}`, `S3.*Exception: * ` + failed + `404, *)`},
		{"listObjectsV2", `{"Bucket":"shop","Prefix":"a/"}`, `{"Contents":[{"ETag":"\"*\"","Key":"a/ä b.json","LastModified":"*Z","Size":15,"StorageClass":"STANDARD"}],"IsTruncated":false,"KeyCount":1,"MaxKeys":1000,"Name":"shop","Prefix":"a/"}`},
		{"listObjectsV2", `{"Bucket":"shop","Delimiter":"/","MaxKeys":1}`, `{"CommonPrefixes":[{"Prefix":"a/"}],"Delimiter":"/","IsTruncated":true,"KeyCount":1,"MaxKeys":1,"Name":"shop","NextContinuationToken":"*","Prefix":""}`},
		{"listObjects", `{"Bucket":"shop","Marker":"copy"}`, `{"Contents":[{*"Key":"empty"*}],"IsTruncated":false,"Marker":"copy","MaxKeys":1000,"Name":"shop","Prefix":""}`},
		{"listObjectsV2", `{"Bucket":"none"}`, `S3.NoSuchBucketException: The specified bucket does not exist ` + failed + `404, *)`},
		{"deleteObject", `{"Bucket":"shop","Key":"copy"}`, `{}`},
		{"deleteObject", `{"Bucket":"shop","Key":"copy"}`, `{}`},
		{"headBucket", `{"Bucket":"shop"}`, `{}`},
		{"headBucket", `{"Bucket":"none"}`, `S3.*Exception: * ` + failed + `404, *)`},
		{"listBuckets", `{}`, `{"Buckets":[{"CreationDate":"*Z","Name":"shop"}]}`},
		{"putObject", `{"Bucket":"shop","Key":"k","Body":"x","Metadata":{"who":"weft"}}`, `S3.S3Exception: *not implemented (the header X-Amz-Meta-Who) ` + failed + `501, *)`},
		{"putObject", `{"Bucket":"shop","Key":"k","Body":"x","IfNoneMatch":"*"}`, `S3.S3Exception: *not implemented (the header If-None-Match) ` + failed + `501, *)`},
		{"putObject", `{"Bucket":"shop","Key":"empty/k","Body":"x"}`, `S3.S3Exception: Object parent already exists as a file. ` + failed + `409, *)`},
		{"putObject", `{"Bucket":"shop"}`, `*`},
	} {
		tried[tc.name] = true
		if got := call(t, set, "aws-sdk:s3:"+tc.name, tc.arguments); !like(got, tc.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
	for _, name := range s3api.Actions {
		if _, ok := s3Actions[name]; !ok || !tried[name] {
			t.Errorf("%s is no action of S3, or was not tried", name)
		}
	}
	if !slices.IsSorted(s3api.Actions) {
		t.Errorf("not in order: %q", s3api.Actions)
	}
}

// TestObjectsLack refuses definitions with actions that a directory does not have, and says what has them.
func TestObjectsLack(t *testing.T) {
	t.Parallel()
	set := directory(t)
	for action, want := range map[string]string{"putObject": "", "putBucketPolicy": "putBucketPolicy needs a server with the API of S3", "putObjekt": "did you mean aws-sdk:s3:putObject?"} {
		_, problems := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:`+action+`","End":true}}}`), asl.Options{Integrations: set})
		text := ""
		if err := problems.Err(); err != nil {
			text = err.Error()
		}
		if (want == "") != (text == "") || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", action, text, want)
		}
	}
}

// TestObjectsWithoutStore fails calls, at once, where there is no store.
func TestObjectsWithoutStore(t *testing.T) {
	t.Parallel()
	set := integration.NewSet()
	if err := Register(set, Config{Objects: s3api.New(func() (s3api.Store, error) { return nil, errors.New("no data directory") })}); err != nil {
		t.Fatal(err)
	}
	if got := call(t, set, "aws-sdk:s3:listBuckets", `{}`); !like(got, `S3.SdkClientException: Unable to execute HTTP request: *no data directory*`) {
		t.Errorf("got %s", got)
	}
}
