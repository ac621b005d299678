package s3api

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/weftworks/weft/objectstore"
)

// pageKeys is how many keys a listing has at most, as S3's.
const pageKeys = 1000

func (q *request) createBucket(ctx context.Context) (*answer, error) {
	if err := q.store.CreateBucket(ctx, q.name.Bucket); err != nil {
		return nil, err
	}
	a := empty(http.StatusOK)
	a.header.Set("Location", "/"+q.name.Bucket)
	return a, nil
}

func (q *request) headBucket(ctx context.Context) (*answer, error) {
	if err := q.store.HeadBucket(ctx, q.name.Bucket); err != nil {
		return nil, err
	}
	return empty(http.StatusOK), nil
}

func (q *request) buckets(ctx context.Context) (*answer, error) {
	all, err := q.store.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	type bucket struct{ Name, CreationDate string }
	found := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets []bucket `xml:"Buckets>Bucket"`
	}{}
	for _, b := range all {
		found.Buckets = append(found.Buckets, bucket{b.Name, b.Created.Format(modified)})
	}
	return document(http.StatusOK, found), nil
}

// page is what both list operations answer. Pointers are to what the other does not have, or is not always there.
type page struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	Delimiter             string  `xml:",omitempty"`
	Marker                *string // of the first
	NextMarker            *string // of the first, with Delimiter
	StartAfter            string  `xml:",omitempty"`
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken *string
	KeyCount              *int // of the second
	MaxKeys               int
	IsTruncated           bool
	Contents              []content
	CommonPrefixes        []commonPrefix

	last string // after which the next page begins
}

type content struct {
	Key, LastModified, ETag string
	Size                    int64
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

func (q *request) list(ctx context.Context) (*answer, error) {
	second := q.query.Get("list-type") == "2"
	p := &page{Name: q.name.Bucket, Prefix: q.query.Get("prefix"), Delimiter: q.query.Get("delimiter"), MaxKeys: pageKeys}
	if text := q.query.Get("max-keys"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, q.refuse(invalid, "max-keys is "+text)
		}
		p.MaxKeys = min(int(n), pageKeys)
	}
	if second {
		p.StartAfter, p.ContinuationToken = q.query.Get("start-after"), q.query.Get("continuation-token")
		token, err := base64.RawURLEncoding.DecodeString(p.ContinuationToken)
		if err != nil {
			return nil, q.refuse(invalid, "the continuation token is not one of this store's")
		}
		p.last = max(p.StartAfter, string(token))
	} else {
		p.last = q.query.Get("marker")
		p.Marker = new(p.last)
	}
	if err := p.fill(ctx, q.store); err != nil {
		return nil, err
	}
	if second {
		p.KeyCount = new(p.count())
	}
	if p.IsTruncated && second {
		p.NextContinuationToken = new(base64.RawURLEncoding.EncodeToString([]byte(p.last)))
	} else if p.IsTruncated && p.Delimiter != "" {
		p.NextMarker = new(p.last)
	}
	return document(http.StatusOK, p), nil
}

func (p *page) count() int { return len(p.Contents) + len(p.CommonPrefixes) }

// fill lists keys behind p.last. Those with the same beginning up to a delimiter are one entry, and are passed over
// once it is known, by another listing behind them.
func (p *page) fill(ctx context.Context, store objectstore.Store) error {
	for more := true; more; {
		more = false
		for info, err := range store.List(ctx, p.Name, p.Prefix, p.behind()) {
			if err != nil {
				return err
			}
			if p.count() >= p.MaxKeys {
				p.IsTruncated = p.MaxKeys > 0
				return nil
			}
			if group := p.group(info.Key); group != "" {
				p.CommonPrefixes = append(p.CommonPrefixes, commonPrefix{group})
				p.last, more = group, true
				break
			}
			p.Contents = append(p.Contents, content{info.Key, info.Modified.Format(modified), info.ETag, info.Size, info.StorageClass})
			p.last = info.Key
		}
	}
	return nil
}

// group is the beginning of a key up to the delimiter behind the prefix; "" where there is none.
func (p *page) group(key string) string {
	if rest := strings.TrimPrefix(key, p.Prefix); p.Delimiter != "" {
		if i := strings.Index(rest, p.Delimiter); i >= 0 {
			return p.Prefix + rest[:i+len(p.Delimiter)]
		}
	}
	return ""
}

// behind is a text that follows all keys that p.last stands for and precedes the others: no key has the byte 0xFF.
func (p *page) behind() string {
	if p.last != "" && strings.HasPrefix(p.last, p.Prefix) && p.group(p.last) == p.last {
		return p.last + "\xFF"
	}
	return p.last
}
