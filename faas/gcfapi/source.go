package gcfapi

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// archiveBytes is how large the source of a function may be, compressed.
const archiveBytes = 100 << 20

// upload is a source, or the place for one.
type upload struct {
	data []byte // nil: it has not come
}

// place makes a place for a source. s.mu is held.
func (s *Server) place() *functionspb.GenerateUploadUrlResponse {
	source := &functionspb.StorageSource{Bucket: "gcf-v2-uploads", Object: fmt.Sprintf("source-%d.zip", s.next())}
	s.uploads[source.GetBucket()+"/"+source.GetObject()] = &upload{}
	return &functionspb.GenerateUploadUrlResponse{
		UploadUrl: s.URL() + "/upload/" + source.GetBucket() + "/" + source.GetObject(), StorageSource: source,
	}
}

// upload takes a source.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, archiveBytes))
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	case r.Header.Get("Content-Type") != "application/zip":
		http.Error(w, "the URL is signed for Content-Type: application/zip", http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uploads[r.PathValue("bucket")+"/"+r.PathValue("object")]
	if u == nil {
		http.Error(w, "no upload was announced here", http.StatusForbidden)
		return
	}
	u.data = data
}

// archive returns the source that a function is to be built from. s.mu is held.
func (s *Server) archive(source *functionspb.Source) ([]byte, error) {
	of := source.GetStorageSource()
	if of == nil {
		return nil, invalid("build_config.source must be a storage_source here.")
	}
	u := s.uploads[of.GetBucket()+"/"+of.GetObject()]
	if u == nil || u.data == nil {
		return nil, status.Errorf(codes.NotFound, "Source object gs://%s/%s was not found.", of.GetBucket(), of.GetObject())
	}
	return u.data, nil
}

// checkArchive reports why an archive cannot be built.
func checkArchive(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(z.File) == 0 {
		return status.Errorf(codes.InvalidArgument, "Build failed: the source is no zip archive with files in it (%v)", err)
	}
	return nil
}
