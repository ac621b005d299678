package build

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGoogle(t *testing.T) {
	t.Parallel()
	o := shop(t)
	o.Google = true
	write(t, o.Functions[0].Dir, map[string]string{"requirements.txt": "numpy==2.0.0\n"})
	write(t, o.Functions[1].Dir, map[string]string{"package.json": `{"dependencies": {"dep": "1.0.0"}}`})
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	on := m.Functions[1].Google
	if on.Runtime != "python313" || on.EntryPoint != "weft" || on.Environment["WEFT_CODE"] != `{"python":"price.handler","dir":"code"}` || on.Environment["WEFT_FUNCTION"] != "price" || on.Environment["K"] != "v" {
		t.Errorf("%+v", on)
	}
	all := contents(t, filepath.Join(o.Out, on.Archive))
	if all["weft-function*"] != "runtime for Google" || all["requirements.txt"] != "numpy==2.0.0\n"+pythonFramework+"\n" || all["code/price.py"] == "" || all["weft/app.yaml"] == "" || all["main.py"] == "" {
		t.Errorf("%v", slices.Sorted(maps.Keys(all)))
	}
	on = m.Functions[3].Google
	all = contents(t, filepath.Join(o.Out, on.Archive))
	var project struct{ Dependencies map[string]string }
	if err := json.Unmarshal([]byte(all["package.json"]), &project); err != nil {
		t.Fatal(err)
	}
	if on.Runtime != "nodejs22" || project.Dependencies["dep"] != "1.0.0" || project.Dependencies["@google-cloud/functions-framework"] != nodeFramework || all["code/ship.js"] == "" || all["index.js"] == "" {
		t.Errorf("%+v %v", on, project)
	}
	if on = m.Functions[0].Google; on.Archive != "functions/weft-google.zip" || on.Environment["WEFT_CODE"] != "" {
		t.Errorf("%+v", on)
	}
	o.Archs = []Arch{ARM64}
	again, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if file := on.Archive; again.Files[file] != m.Files[file] {
		t.Errorf("%s depends on what is built for Lambda", file)
	}
}

// unpack makes a directory of an archive's files.
func unpack(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents(t, file) {
		mode := os.FileMode(0o644)
		if name = strings.TrimSuffix(name, "*"); name == "weft-function" {
			mode = 0o755
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The stand-in for the runtime answers with what it is asked.
const echoRuntime = `#!/usr/bin/env python3
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        text = json.dumps({"path": self.path, "body": body, "task": self.headers["X-Cloudtasks-Taskname"], "mode": sys.argv[1]}).encode()
        self.send_response(207)
        self.send_header("X-Answer", "yes")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// Stand-ins for Google's frameworks: as much as the functions that they serve need.
const pythonFrameworkFake = `
import http.server, sys, types
class Request:
    def __init__(self, h):
        self.method, self.full_path, self.headers = h.command, h.path, h.headers
        self.body = h.rfile.read(int(h.headers["Content-Length"]))
    def get_data(self): return self.body
def http_function(f):
    global served
    served = f
    return f
module = types.ModuleType("functions_framework")
module.http = http_function
sys.modules["functions_framework"] = module
sys.path.insert(0, ".")
import main
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        text, status, headers = served(Request(self))
        self.send_response_only(status)
        for k, v in headers: self.send_header(k, v)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
`

const nodeFrameworkFake = `
exports.http = (name, f) => {
  const server = require('http').createServer((req, res) => {
    const parts = [];
    res.status = (code) => { res.statusCode = code; return res; };
    res.send = (text) => res.end(text);
    req.on('data', (part) => parts.push(part));
    req.on('end', () => { req.rawBody = Buffer.concat(parts); f(req, res); });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
};
`

// The functions that Google's frameworks serve start the runtime and pass requests through as they are.
func TestGoogleFunctionsReachTheRuntime(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	o := shop(t)
	o.Google = true
	write(t, o.Runtimes.Dirs[0], map[string]string{"weft-function-google-linux-amd64": echoRuntime})
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for name, argv := range map[string][]string{"price": {"python3", "-c", pythonFrameworkFake}, "ship": {"node", "index.js"}} {
		t.Run(argv[0], func(t *testing.T) {
			t.Parallel()
			need(t, argv[0])
			i := slices.IndexFunc(m.Functions, func(d Deployed) bool { return d.Name == name })
			dir := unpack(t, filepath.Join(o.Out, m.Functions[i].Google.Archive))
			write(t, dir, map[string]string{"node_modules/@google-cloud/functions-framework/index.js": nodeFrameworkFake})
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Dir, cmd.Stderr = dir, os.Stderr
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			group(cmd)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { kill(cmd); _ = cmd.Wait() })
			port, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+strings.TrimSpace(port)+"/a?b=1", bytes.NewBufferString("{\"x\": \"ä\"}"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Cloudtasks-Taskname", "task-7")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			want := map[string]string{"path": "/a?b=1", "body": "{\"x\": \"ä\"}", "task": "task-7", "mode": "http"}
			if !maps.Equal(got, want) || resp.StatusCode != 207 || resp.Header.Get("X-Answer") != "yes" {
				t.Errorf("%d %v %v, want %v", resp.StatusCode, resp.Header, got, want)
			}
		})
	}
}
