package fakes

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// S3 is buckets in memory behind the protocol of Amazon S3: put, get, head, delete and list objects, buckets in the path. A
// bucket exists once something was put into it.
type S3 struct {
	mu      sync.Mutex
	buckets map[string]map[string]s3Object
	serial  int
}

type s3Object struct {
	body     []byte
	kind     string // Content-Type
	modified time.Time
}

// Put makes an object, and its bucket.
func (s *S3) Put(bucket, key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(bucket, key, s3Object{body, "binary/octet-stream", time.Now()})
}

func (s *S3) put(bucket, key string, o s3Object) {
	if s.buckets == nil {
		s.buckets = map[string]map[string]s3Object{}
	}
	if s.buckets[bucket] == nil {
		s.buckets[bucket] = map[string]s3Object{}
	}
	s.buckets[bucket][key] = o
}

// Get returns an object's bytes.
func (s *S3) Get(bucket, key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.buckets[bucket][key]
	return o.body, ok
}

// ServeHTTP answers a request of the S3 API.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	w.Header().Set("x-amz-request-id", fmt.Sprintf("%016X", s.serial))
	w.Header().Set("x-amz-id-2", base64.StdEncoding.EncodeToString([]byte(uuid(s.serial))))
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if r.Method == http.MethodPut && key != "" {
		s.store(w, r, bucket, key)
		return
	}
	objects, ok := s.buckets[bucket]
	if !ok {
		refuseXML(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	o, ok := objects[key]
	switch {
	case key == "":
		s.list(w, r, bucket)
	case r.Method == http.MethodDelete:
		delete(objects, key)
		w.WriteHeader(http.StatusNoContent)
	case !ok:
		refuseXML(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	default:
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Content-Type", o.kind)
		w.Header().Set("x-amz-server-side-encryption", "AES256")
		w.Header().Set("ETag", etag(o.body))
		if r.Header.Get("x-amz-checksum-mode") != "" {
			w.Header().Set("x-amz-checksum-crc32", checksum(o.body))
			w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
		}
		http.ServeContent(w, r, "", o.modified, bytes.NewReader(o.body))
	}
}

func (s *S3) store(w http.ResponseWriter, r *http.Request, bucket, key string) {
	body, err := io.ReadAll(r.Body)
	if err == nil && strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		body, err = unchunk(body)
	}
	if err != nil {
		refuseXML(w, http.StatusBadRequest, "IncompleteBody", err.Error())
		return
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" || kind == "application/octet-stream" {
		kind = "binary/octet-stream"
	}
	s.put(bucket, key, s3Object{body, kind, time.Now()})
	w.Header().Set("x-amz-server-side-encryption", "AES256")
	w.Header().Set("ETag", etag(body))
	w.Header().Set("x-amz-checksum-crc32", checksum(body))
	w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
}

// unchunk undoes aws-chunked: chunks of a length in hexadecimal, a line end, so many bytes and a line end.
func unchunk(text []byte) ([]byte, error) {
	var body []byte
	for {
		line, rest, ok := bytes.Cut(text, []byte("\r\n"))
		var n int
		if _, err := fmt.Sscanf(string(line), "%x", &n); err != nil || !ok || n > len(rest) {
			return nil, fmt.Errorf("a chunk begins with %q", line)
		}
		if n == 0 {
			return body, nil
		}
		body, text = append(body, rest[:n]...), bytes.TrimPrefix(rest[n:], []byte("\r\n"))
	}
}

func etag(body []byte) string {
	h := md5.Sum(body)
	return `"` + hex.EncodeToString(h[:]) + `"`
}

func checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// list answers ListObjects and ListObjectsV2, all keys at once.
func (s *S3) list(w http.ResponseWriter, r *http.Request, bucket string) {
	type content struct {
		Key, LastModified, ETag, StorageClass string
		Size                                  int
	}
	answer := struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		Name        string
		Prefix      string
		MaxKeys     int
		KeyCount    int
		IsTruncated bool
		Contents    []content
	}{Name: bucket, Prefix: r.URL.Query().Get("prefix"), MaxKeys: 1000}
	for _, key := range slices.Sorted(maps.Keys(s.buckets[bucket])) {
		if o := s.buckets[bucket][key]; strings.HasPrefix(key, answer.Prefix) {
			answer.Contents = append(answer.Contents, content{key, o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), etag(o.body), "STANDARD", len(o.body)})
		}
	}
	answer.KeyCount = len(answer.Contents)
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(answer)
}

func refuseXML(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}
