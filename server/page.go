package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/weftworks/weft/fault"
)

// A page token is base64url(check ‖ cursor). The check covers the operation, its query and the cursor, so a
// token that was cut, changed or sent with another query is InvalidToken, not a wrong page. It is not a secret:
// a cursor gives nothing that the query itself would not.
const checkBytes = 9

// pageToken makes the token that continues this query at cursor; "" when there is no more.
func pageToken(cursor string, query ...string) string {
	if cursor == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(pageCheck(cursor, query), cursor...))
}

// pageCursor returns the cursor of a token that this query gave out; "" for no token.
func pageCursor(token string, query ...string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(raw) > checkBytes {
		cursor := string(raw[checkBytes:])
		if subtle.ConstantTimeCompare(raw[:checkBytes], pageCheck(cursor, query)) == 1 {
			return cursor, nil
		}
	}
	return "", fault.New("", fault.InvalidToken, "nextToken", "not a token of this query; start again without nextToken")
}

func pageCheck(cursor string, query []string) []byte {
	sum := sha256.Sum256([]byte(strings.Join(append(query, cursor), "\x00")))
	return sum[:checkBytes]
}
