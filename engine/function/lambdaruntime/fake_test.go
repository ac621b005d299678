package lambdaruntime

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// TestMain plays a process of a function when asked to; otherwise it runs the tests and then looks for what
// they left behind.
func TestMain(m *testing.M) {
	if mode := os.Getenv("WEFT_FAKE"); mode != "" {
		play(mode)
		os.Exit(0)
	}
	code := m.Run()
	if dir, err := buildDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	if code == 0 {
		if left := leftovers(); left != "" {
			fmt.Fprintln(os.Stderr, "goroutines are left:\n"+left)
			code = 1
		}
	}
	os.Exit(code)
}

// leftovers returns the stacks of this module's goroutines, given a moment to end.
func leftovers() string {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		all := make([]byte, 1<<20)
		all = all[:runtime.Stack(all, true)]
		var ours []string
		for _, g := range strings.Split(string(all), "\n\n")[1:] {
			if strings.Contains(g, "weft/engine") {
				ours = append(ours, g)
			}
		}
		if len(ours) == 0 || time.Now().After(end) {
			return strings.Join(ours, "\n\n")
		}
	}
}

// fake is a badly behaved runtime.
type fake struct{ base string }

func (f fake) next() (id string, input []byte, status int) {
	resp, err := http.Get(f.base + "invocation/next")
	if err != nil {
		os.Exit(9)
	}
	defer resp.Body.Close()
	input, _ = io.ReadAll(resp.Body)
	return resp.Header.Get("Lambda-Runtime-Aws-Request-Id"), input, resp.StatusCode
}

func (f fake) post(path, body string, headers ...string) int {
	return f.send(path, strings.NewReader(body), headers...)
}

func (f fake) send(path string, body io.Reader, headers ...string) int {
	req, _ := http.NewRequest(http.MethodPost, f.base+path, body)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// play is a process: it behaves as mode says, and the input chooses for modes that serve.
func play(mode string) {
	f := fake{"http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/"}
	switch mode {
	case "exit":
		fmt.Println("cannot go on")
		os.Exit(7)
	case "exit0":
	case "hang":
		select {}
	case "initerror":
		f.post("init/error", `{"errorMessage":"no database","errorType":"Config.Missing","stackTrace":[]}`, headerType, "Config.Missing")
		select {}
	case "initgarbage":
		f.post("init/error", `oops`, headerType, "Runtime.Oops")
		os.Exit(1)
	case "node": // not a function: a node that is about to be killed
		playNode()
	case "second": // fails to start the first time; the file is its memory
		marker := os.Getenv("MARKER")
		if _, err := os.Stat(marker); err != nil {
			_ = os.WriteFile(marker, nil, 0o600)
			os.Exit(7)
		}
		f.serve()
	default:
		f.serve()
	}
}

func (f fake) serve() {
	for {
		id, input, status := f.next()
		if status != http.StatusOK {
			os.Exit(0)
		}
		f.one(id, strings.Trim(string(input), `"`))
	}
}

func (f fake) one(id, do string) {
	answer := "invocation/" + id + "/response"
	switch do {
	case "pid":
		f.post(answer, fmt.Sprint(os.Getpid()))
	case "crash":
		fmt.Print("last words")
		os.Exit(1)
	case "crash0":
		os.Exit(0)
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	case "hang":
		fmt.Println("hanging")
		select {}
	case "garbage":
		f.post(answer, `{"a": nope`)
	case "huge":
		f.post(answer, `"`+strings.Repeat("x", 3000)+`"`)
	case "hugechunked":
		f.send(answer, io.MultiReader(strings.NewReader(`"`+strings.Repeat("x", 3000)), strings.NewReader(`"`)))
	case "broken":
		req, _ := http.NewRequest(http.MethodPost, f.base+answer, io.MultiReader(strings.NewReader(`{"a`), &breaking{}))
		_, _ = http.DefaultClient.Do(req)
	case "twice":
		first := f.post(answer, `1`)
		second := f.post(answer, `2`)
		fmt.Printf("statuses %d %d\n", first, second)
	case "stranger":
		status := f.post("invocation/another/response", `"stolen"`)
		f.post(answer, fmt.Sprint(status))
	case "greedy":
		_, _, status := f.next()
		f.post(answer, fmt.Sprint(status))
	case "trailer":
		f.trailer(answer)
	case "untyped":
		f.post("invocation/"+id+"/error", `{"errorMessage":"m"}`)
	case "unreadable":
		f.post("invocation/"+id+"/error", ``, headerType, "Function.Custom")
	case "empty":
		f.post(answer, ``)
	case "answerandexit":
		f.post(answer, `"done"`)
		os.Exit(1)
	case "answerandhang":
		f.post(answer, `"done"`)
		select {}
	case "chatty":
		fmt.Print(strings.Repeat("noise ", 2000), "the end")
		f.post(answer, `null`)
	default:
		f.post(answer, `"`+do+`"`)
	}
}

type breaking struct{}

func (*breaking) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// trailer streams a body and then reports an error behind it, as aws-lambda-go does.
func (f fake) trailer(answer string) {
	body := io.MultiReader(strings.NewReader(`{"half":`), bytes.NewReader(nil))
	req, _ := http.NewRequest(http.MethodPost, f.base+answer, body)
	req.Trailer = http.Header{
		headerType: {"Stream.Broke"},
		headerBody: {"eyJlcnJvck1lc3NhZ2UiOiJtaWR3YXkiLCJlcnJvclR5cGUiOiJTdHJlYW0uQnJva2UifQ=="},
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
}

// playNode has a function in the middle of a call, says which process that is, and goes on until it is killed.
func playNode() {
	self, _ := os.Executable()
	hanging := make(chan bool, 1)
	p, err := New(Config{
		Name: "fake", Processes: 1, Launch: Binary(self, ""), Env: []string{"WEFT_FAKE=serve"},
		Lines: func(function.LogLine) { hanging <- true },
	})
	if err != nil {
		os.Exit(1)
	}
	res, err := p.Invoke(context.Background(), &function.Request{ID: "1", Input: []byte(`"pid"`)})
	if err != nil {
		os.Exit(1)
	}
	go func() { _, _ = p.Invoke(context.Background(), &function.Request{ID: "2", Input: []byte(`"hang"`)}) }()
	<-hanging
	fmt.Printf("%s\n", res.Output)
	select {}
}
