package cloudtasksapi

import (
	"net/http"
	"strings"
	"testing"
)

// TestStaysOnThisMachine wants tasks for elsewhere not to leave.
func TestStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequest(http.MethodPost, "http://192.0.2.1:1/f", nil) // an address of documentation
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loopback().RoundTrip(req); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
		t.Errorf("%v", err)
	}
}
