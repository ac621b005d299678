package config

import (
	"context"
	"os"
	"path/filepath"

	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/objectstore/s3"
	"github.com/weftworks/weft/objectstore/s3api"
	"go.yaml.in/yaml/v3"
)

// Objects says where the buckets are that distributed Maps read and write. The zero value is a directory in the data
// directory.
type Objects struct {
	Directory string // absolute; "": "objects" in the data directory, unless S3
	S3        bool   // where Config.AWS says that s3 is
}

func (r *reader) objects(n *yaml.Node, to *Objects) {
	if n.Kind == yaml.ScalarNode && n.Value == "s3" {
		to.S3 = true
		return
	}
	r.path(n, &to.Directory)
}

// localS3 answers tasks that call S3 from the node's directory of objects; nil where a server does: one that the file names,
// Amazon's if objects are there, or the one that the environment names to all AWS SDKs.
func (c *Config) localS3(objects func() (s3api.Store, error)) *s3api.Transport {
	if c.Objects.S3 || c.AWS.Endpoints["s3"] != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != "" {
		return nil
	}
	return s3api.New(objects)
}

// OpenObjects opens the store. data is the data directory. close ends its use.
func (c *Config) OpenObjects(ctx context.Context, data string) (store objectstore.Store, close func() error, err error) {
	if c.Objects.S3 {
		endpoint := c.AWS.Endpoints["s3"]
		bucket, err := s3.Open(ctx, s3.Options{Endpoint: endpoint, Region: c.AWS.Region, Profile: c.AWS.Profile, PathStyle: endpoint != ""})
		return bucket, func() error { return nil }, err
	}
	directory := c.Objects.Directory
	if directory == "" {
		directory = filepath.Join(data, "objects")
	}
	files, err := dir.Open(directory)
	if err != nil {
		return nil, nil, err
	}
	return files, files.Close, nil
}
