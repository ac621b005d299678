package machine

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// envelope is what lambda:invoke makes of a function's answer: the Invoke response of the Lambda API with
// the HTTP headers that Step Functions shows. Identifiers come from the run's seed and the invocation's id,
// so that the same run gives the same text everywhere.
func (s *step) envelope(b *branch, ev *Event) []byte {
	r := mix(s.f.exec.Seed ^ mix(b.invocation))
	id := uuid(r)
	date := time.UnixMilli(s.f.now).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	headers := [][2]string{
		{"X-Amz-Executed-Version", "$LATEST"},
		{"x-amzn-Remapped-Content-Length", "0"},
		{"Connection", "keep-alive"},
		{"x-amzn-RequestId", id},
		{"Content-Length", strconv.Itoa(len(ev.Output))},
		{"Date", date},
		{"X-Amzn-Trace-Id", fmt.Sprintf("Root=1-%08x-%024x;Sampled=0", uint32(s.f.now/1000), r)},
		{"Content-Type", "application/json"},
	}
	out := append(make([]byte, 0, len(ev.Output)+1024), `{"ExecutedVersion":"$LATEST"`...)
	if b.tail {
		log := base64.StdEncoding.EncodeToString([]byte(ev.LogTail))
		headers = append(headers, [2]string{"X-Amz-Log-Result", log})
		out = append(out, `,"LogResult":`...)
		out = jsonvalue.AppendString(out, log)
	}
	out = append(out, `,"Payload":`...)
	out = append(out, ev.Output...)
	out = append(out, `,"SdkHttpMetadata":{"AllHttpHeaders":{`...)
	out = appendHeaders(out, headers, "[", "]")
	out = append(out, `},"HttpHeaders":{`...)
	out = appendHeaders(out, headers, "", "")
	out = append(out, `},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"`...)
	out = append(out, id...)
	return append(out, `"},"StatusCode":200}`...)
}

func appendHeaders(out []byte, headers [][2]string, open, closing string) []byte {
	for i, h := range headers {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsonvalue.AppendString(out, h[0])
		out = append(append(out, ':'), open...)
		out = jsonvalue.AppendString(out, h[1])
		out = append(out, closing...)
	}
	return out
}

// mix spreads the bits of x (the finaliser of splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uuid returns a version 4 UUID made of r.
func uuid(r uint64) string {
	hi, lo := mix(r), mix(r+1)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(hi>>32), uint16(hi>>16), hi&0xfff, lo>>48&0x3fff|0x8000, lo&0xffffffffffff)
}
