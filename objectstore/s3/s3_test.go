package s3

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/objectstore/objectstoretest"
)

const part = 5 << 20 // the smallest that S3 takes

func open(t *testing.T, url string) *Store {
	t.Helper()
	store, err := Open(t.Context(), Options{
		Endpoint: url, Region: "us-east-1", PathStyle: true, PartBytes: part, Credentials: credentials.NewStaticCredentialsProvider(testserver.AccessKey, testserver.SecretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	url := testserver.S3(t)
	objectstoretest.Run(t, func(t *testing.T) objectstoretest.Bucket {
		store := open(t, url)
		bucket := strings.ToLower(strings.NewReplacer("/", "-", "TestConformance", "bucket").Replace(t.Name()))
		if _, err := store.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		return objectstoretest.Bucket{Store: store, Name: bucket, Missing: "missing", PartBytes: part, NoParents: true, PathKeys: true}
	})
}
