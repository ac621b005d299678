package sigv4

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	secret = "a secret/with+signs"
	body   = `{"stateMachineArn":"x"}`
	// The signatures were made by botocore 1.43.11 over the requests that signed builds.
	sumRoot  = "9994c59dc7590156055a2a88b73f34889ec8b05a50502fff2d412d9021296f8c"
	sumQuery = "a955e7ff7779d7d69812f36dc374c718b163c903541b42cef04765d4b717d527"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func signed(url, body, sum string) *http.Request {
	r := httptest.NewRequest("POST", url, strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "AWSStepFunctions.DescribeStateMachine")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Date", at.Format(stamp))
	r.Header.Set("Authorization", scheme+" Credential=weft/20260304/eu-central-1/states/aws4_request, "+
		"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="+sum)
	return r
}

func lookup(id string) (string, bool) { return secret, id == "weft" }

func TestVerifyAcceptsBotocore(t *testing.T) {
	t.Parallel()
	r := signed("http://127.0.0.1:8400/", body, sumRoot)
	if err := Verify(r, []byte(body), "states", at.Add(Skew), lookup); err != nil {
		t.Error(err)
	}
	r = signed("http://127.0.0.1:8400/a%20b?z=1&a=%2F%20x", "", sumQuery)
	if err := Verify(r, nil, "states", at, lookup); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*http.Request)
		body string
		now  time.Time
		want error
	}{
		"other body":       {body: "{}", want: ErrMismatch},
		"other target":     {edit: func(r *http.Request) { r.Header.Set("X-Amz-Target", "AWSStepFunctions.StopExecution") }, want: ErrMismatch},
		"other host":       {edit: func(r *http.Request) { r.Host = "elsewhere" }, want: ErrMismatch},
		"other path":       {edit: func(r *http.Request) { r.URL.Path = "/x" }, want: ErrMismatch},
		"late":             {now: at.Add(Skew + time.Second), want: ErrExpired},
		"early":            {now: at.Add(-Skew - time.Second), want: ErrExpired},
		"no header":        {edit: func(r *http.Request) { r.Header.Del("Authorization") }, want: ErrIncomplete},
		"no date":          {edit: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, want: ErrIncomplete},
		"unsigned header":  {edit: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, want: ErrIncomplete},
		"unknown key":      {edit: rewrite("Credential=weft", "Credential=other"), want: ErrUnknownKey},
		"other service":    {edit: rewrite("/states/", "/lambda/"), want: ErrIncomplete},
		"other day":        {edit: rewrite("20260304/", "20260305/"), want: ErrIncomplete},
		"other region":     {edit: rewrite("eu-central-1", "eu-central-2"), want: ErrMismatch},
		"host not signed":  {edit: rewrite("host;", ""), want: ErrIncomplete},
		"short signature":  {edit: rewrite(sumRoot, "ab"), want: ErrIncomplete},
		"other signature":  {edit: rewrite(sumRoot, sumQuery), want: ErrMismatch},
		"broken signature": {edit: rewrite(sumRoot, strings.Repeat("x", 64)), want: ErrIncomplete},
		"no scope":         {edit: rewrite("weft/20260304/eu-central-1/states/aws4_request", "weft"), want: ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, sent, now := signed("http://127.0.0.1:8400/", body, sumRoot), body, at
			if c.edit != nil {
				c.edit(r)
			}
			if c.body != "" {
				sent = c.body
			}
			if !c.now.IsZero() {
				now = c.now
			}
			if err := Verify(r, []byte(sent), "states", now, lookup); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func rewrite(old, with string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(signed("http://h/", "", sumRoot).Header.Get("Authorization"))
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHeader(text)
		if err == nil && len(h.Signature) != 32 {
			t.Fatalf("%q: %+v", text, h)
		}
	})
}
