package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/weftworks/weft/server/sigv4"
)

// Credential is one client's key. Token is sent as `Authorization: Bearer TOKEN`, or used as the secret
// access key of an AWS client whose access key id is KeyID.
type Credential struct {
	KeyID string
	Token string
}

// minTokenChars keeps tokens out of the reach of guessing: 16 characters of base64 are 96 bits.
const minTokenChars = 16

// auth decides who may send requests. With no credentials everybody may, which Serve allows on loopback only.
type auth struct {
	secrets map[string]string // by key id
	tokens  [][sha256.Size]byte
	now     func() time.Time
}

func newAuth(credentials []Credential, now func() time.Time) *auth {
	a := &auth{secrets: map[string]string{}, now: now}
	for _, c := range credentials {
		a.tokens = append(a.tokens, sha256.Sum256([]byte(c.Token)))
		if c.KeyID != "" {
			a.secrets[c.KeyID] = c.Token
		}
	}
	return a
}

func (a *auth) open() bool { return len(a.tokens) == 0 }

// bearer reports whether r carries a known token. All tokens are compared, by their hashes and in constant
// time, so the time taken tells nothing.
func (a *auth) bearer(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	found := 0
	for i := range a.tokens {
		found |= subtle.ConstantTimeCompare(sum[:], a.tokens[i][:])
	}
	return ok && found == 1
}

// before refuses what can be refused without reading the body.
func (a *auth) before(r *http.Request) *apiError {
	header := r.Header.Get("Authorization")
	switch {
	case a.open(), a.bearer(r):
		return nil
	case header == "":
		return refuse("MissingAuthenticationTokenException",
			"Missing Authentication Token: send `Authorization: Bearer TOKEN`, or sign with the token as secret access key")
	case !sigv4.Is(header):
		return refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	h, err := sigv4.ParseHeader(header)
	if err != nil {
		return refuse("IncompleteSignatureException", "%s", err)
	}
	if _, known := a.secrets[h.KeyID]; !known {
		return refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	return nil
}

// after checks the signature, which covers the body. A request that before let through by its bearer token passes.
func (a *auth) after(r *http.Request, body []byte) *apiError {
	if a.open() || a.bearer(r) {
		return nil
	}
	err := sigv4.Verify(r, body, "states", a.now(), func(id string) (string, bool) {
		secret, ok := a.secrets[id]
		return secret, ok
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sigv4.ErrIncomplete):
		return refuse("IncompleteSignatureException", "%s", err)
	case errors.Is(err, sigv4.ErrExpired):
		return refuse("InvalidSignatureException", "Signature expired: %s", err)
	}
	return refuse("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
}

// guard refuses requests that a web page made a browser send. Loopback is no protection against those: any page
// can post to 127.0.0.1, and one whose name is made to resolve there (DNS rebinding) even counts as same-origin.
// So without credentials only pages of this machine pass; with them, a page of this server does too. Tools
// send no Origin and pass.
func (a *auth) guard(r *http.Request) *apiError {
	origin := r.Header.Get("Origin")
	if origin == "" {
		if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" {
			return &apiError{"AccessDeniedException", http.StatusForbidden, "requests from another site's page are refused"}
		}
		return nil
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && (loopbackHost(u.Hostname()) || !a.open() && u.Host == r.Host) {
		return nil
	}
	return &apiError{"AccessDeniedException", http.StatusForbidden, "requests from pages of origin '" + origin + "' are refused"}
}

// sameHost refuses requests that read (GET), to which browsers add no Origin, when they may come from a page whose name
// was made to resolve here: without credentials the host has to be this machine's name or an address.
func (a *auth) sameHost(r *http.Request) *apiError {
	host := (&url.URL{Host: r.Host}).Hostname()
	if _, err := netip.ParseAddr(host); err == nil || !a.open() || loopbackHost(host) {
		return nil
	}
	return &apiError{"AccessDeniedException", http.StatusForbidden, "requests for host '" + host + "' are refused: use 127.0.0.1 or localhost, or give the server a token"}
}

// contentTypes are what POST / takes. A form or a plain fetch cannot send them across origins without asking first.
func contentType(r *http.Request) *apiError {
	switch t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t {
	case "application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json":
		return nil
	}
	return refuse("SerializationException", "Content-Type is '%s'; it has to be application/x-amz-json-1.0 (or application/json)",
		r.Header.Get("Content-Type"))
}

// loopbackHost reports whether a host name is this machine by definition, not by resolution.
func loopbackHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}

// local reports whether only this machine can connect to an address.
func local(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
