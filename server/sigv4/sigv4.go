// Package sigv4 checks the signatures that AWS clients put on their requests (Signature Version 4, in the
// Authorization header), so that an unmodified client proves that it knows a shared secret without sending it.
//
//	err := sigv4.Verify(r, body, "states", time.Now(), func(id string) (secret string, ok bool) { … })
//
// Source: AWS, "Create a signed AWS API request" (IAM User Guide).
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	scheme = "AWS4-HMAC-SHA256"
	stamp  = "20060102T150405Z"
	// Skew is how far a client's clock may be from ours: what AWS allows.
	Skew = 15 * time.Minute
)

// The ways a request fails.
var (
	// ErrIncomplete says that the Authorization header, or a header that has to be signed, is missing or malformed.
	ErrIncomplete = errors.New("the signature is incomplete")
	// ErrUnknownKey says that nobody has this access key id.
	ErrUnknownKey = errors.New("the access key id is not known")
	// ErrMismatch says that the signature was made with another secret or over another request.
	ErrMismatch = errors.New("the signature does not match")
	// ErrExpired says that the request was signed too long ago, or in the future.
	ErrExpired = errors.New("the signature has expired")
)

// Header is a parsed Authorization header.
type Header struct {
	KeyID     string
	Date      string // yyyymmdd
	Region    string
	Service   string
	Signed    []string // names of the signed headers, in lower case
	Signature []byte
}

// Is reports whether an Authorization header is of this scheme.
func Is(authorization string) bool { return strings.HasPrefix(authorization, scheme+" ") }

// ParseHeader reads an Authorization header.
func ParseHeader(authorization string) (Header, error) {
	var h Header
	rest, ok := strings.CutPrefix(authorization, scheme+" ")
	if !ok {
		return h, fmt.Errorf("%w: Authorization has to start with %s", ErrIncomplete, scheme)
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if n := len(scope); n < 5 || scope[n-1] != "aws4_request" {
		return h, fmt.Errorf("%w: Credential has to be KEY/DATE/REGION/SERVICE/aws4_request", ErrIncomplete)
	}
	n := len(scope)
	h.KeyID = strings.Join(scope[:n-4], "/")
	h.Date, h.Region, h.Service = scope[n-4], scope[n-3], scope[n-2]
	h.Signed = strings.Split(parts["SignedHeaders"], ";")
	var err error
	if h.Signature, err = hex.DecodeString(parts["Signature"]); err != nil || len(h.Signature) != sha256.Size {
		return h, fmt.Errorf("%w: Signature has to be %d hexadecimal digits", ErrIncomplete, 2*sha256.Size)
	}
	return h, nil
}

// Verify checks that r, with this body, was signed for service by the holder of a key. Host, X-Amz-Date and
// every other X-Amz-* header of the request have to be among the signed ones. The secret is compared in constant time.
func Verify(r *http.Request, body []byte, service string, now time.Time, secret func(keyID string) (string, bool)) error {
	h, err := ParseHeader(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if err := h.covers(r, service, now); err != nil {
		return err
	}
	key, ok := secret(h.KeyID)
	if !ok {
		return ErrUnknownKey
	}
	if !hmac.Equal(h.Signature, h.sign(key, r, body)) {
		return ErrMismatch
	}
	return nil
}

// covers checks what the signature is for, before its value.
func (h *Header) covers(r *http.Request, service string, now time.Time) error {
	if h.Service != service {
		return fmt.Errorf("%w: it is for service %q, not %q", ErrIncomplete, h.Service, service)
	}
	if !slices.IsSorted(h.Signed) || !slices.Contains(h.Signed, "host") {
		return fmt.Errorf("%w: SignedHeaders has to be sorted and name host", ErrIncomplete)
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(h.Signed, name) {
			return fmt.Errorf("%w: header %s is not signed", ErrIncomplete, name)
		}
	}
	at, err := time.Parse(stamp, r.Header.Get("X-Amz-Date"))
	if err != nil || !strings.HasPrefix(r.Header.Get("X-Amz-Date"), h.Date) {
		return fmt.Errorf("%w: X-Amz-Date has to be a time like %s on the day of Credential", ErrIncomplete, stamp)
	}
	if d := now.Sub(at); d > Skew || d < -Skew {
		return fmt.Errorf("%w: signed at %s, it is %s here; set the client's clock", ErrExpired,
			at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// sign computes the signature that the holder of secret would have made.
func (h *Header) sign(secret string, r *http.Request, body []byte) []byte {
	request := sha256.Sum256([]byte(h.canonical(r, body)))
	scope := strings.Join([]string{h.Date, h.Region, h.Service, "aws4_request"}, "/")
	text := strings.Join([]string{scheme, r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(request[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{h.Date, h.Region, h.Service, "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key
}

// canonical writes the request in the form that is signed. The body's own hash is used, whatever
// X-Amz-Content-Sha256 claims.
func (h *Header) canonical(r *http.Request, body []byte) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + escape(pathOf(r), true) + "\n" + query(r.URL.Query()) + "\n")
	for _, name := range h.Signed {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	sum := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(h.Signed, ";") + "\n" + hex.EncodeToString(sum[:]))
	return b.String()
}

func pathOf(r *http.Request) string {
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if r.ContentLength >= 0 {
			return fmt.Sprint(r.ContentLength)
		}
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

func query(q url.Values) string {
	var pairs [][2]string
	for name, values := range q {
		for _, v := range values {
			pairs = append(pairs, [2]string{escape(name, false), escape(v, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1]))
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

// escape writes everything but unreserved characters (RFC 3986) as %XX; a path keeps its slashes.
func escape(s string, path bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("-._~", c) >= 0 || path && c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
