package text_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/examples/internal/exampletest"
)

func TestMain(m *testing.M) { os.Exit(exampletest.Main(m)) }

var dir = exampletest.Dir("text")

// post is what create_post makes; the other functions' answers are parts of it.
type post struct {
	ID       string    `json:"id"`
	Author   string    `json:"author"`
	Text     string    `json:"text"`
	Mentions []mention `json:"mentions"`
	URLs     []url     `json:"urls"`
}

type mention struct {
	User  string `json:"user"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

type url struct {
	URL   string `json:"url"`
	Short string `json:"short,omitempty"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUserMention(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                            "",
		"no one":                      "",
		"@ada":                        "ada",
		"hi @ada, @grace_h! (@x1)":    "ada grace_h x1",
		"é🧮 @ada":                     "ada",
		"mail bob@example.org":        "",
		"https://m.example/@ada":      "",
		"@@ada @ @-":                  "",
		"@" + strings.Repeat("a", 31): "",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var got post
			if err := exampletest.Python(t, dir, "user_mention.handler", encode(t, post{Text: text}), &got); err != nil {
				t.Fatal(err)
			}
			var users []string
			for _, m := range got.Mentions {
				users = append(users, m.User)
				if at := string([]rune(text)[m.Start:m.End]); at != "@"+m.User {
					t.Errorf("position of %s says %q", m.User, at)
				}
			}
			if strings.Join(users, " ") != want {
				t.Errorf("users %q, want %q", users, want)
			}
		})
	}
}

func TestFindURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "none http:/x https//y": "",
		"http://a.example": "http://a.example",
		"see (https://a.example/b?c=d&e#f). And HTTPS://B.example!": "https://a.example/b?c=d&e#f HTTPS://B.example",
		"🧮é https://a.example/🧮 🧮 https://a.example/x":              "https://a.example/🧮 https://a.example/x",
		"https://en.example/wiki/Go_(game), https://x.example/a)":   "https://en.example/wiki/Go_(game) https://x.example/a",
		`<https://a.example> "https://b.example"`:                   "https://a.example https://b.example",
		"https://... http://[::1 https://ok.example":                "https://ok.example",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			var got post
			if err := exampletest.Node(t, dir, "find_url.handler", encode(t, post{Text: text}), &got); err != nil {
				t.Fatal(err)
			}
			var urls []string
			for _, u := range got.URLs {
				urls = append(urls, u.URL)
				if at := string([]rune(text)[u.Start:u.End]); at != u.URL {
					t.Errorf("position of %s says %q", u.URL, at)
				}
			}
			if strings.Join(urls, " ") != want {
				t.Errorf("URLs %q, want %q", urls, want)
			}
		})
	}
}

func TestShortenURL(t *testing.T) {
	t.Parallel()
	shorten := func(urls ...string) []string {
		in := post{URLs: []url{}}
		for i, u := range urls {
			in.URLs = append(in.URLs, url{URL: u, Start: i, End: i + 1})
		}
		var got post
		if err := exampletest.Python(t, dir, "shorten_url.handler", encode(t, in), &got); err != nil {
			t.Fatal(err)
		}
		var short []string
		for i, u := range got.URLs {
			if u.URL != urls[i] || u.Start != i || u.End != i+1 || len(u.Short) != len("https://weft.example/")+8 {
				t.Errorf("URL %d became %+v", i, u)
			}
			short = append(short, u.Short)
		}
		return short
	}
	first := shorten("https://a.example/", "https://b.example/", "https://a.example/")
	if first[0] != first[2] || first[0] == first[1] {
		t.Errorf("short URLs %q", first)
	}
	if again := shorten("https://b.example/"); again[0] != first[1] {
		t.Errorf("another call shortens to %q, not %q", again[0], first[1])
	}
	if got := shorten(); len(got) != 0 {
		t.Errorf("no URLs became %q", got)
	}
}

func TestCreatePost(t *testing.T) {
	t.Parallel()
	in := map[string]any{
		"run": "r1", "author": "ada", "text": "🧮 @a https://long.example/?q=(@x) @b",
		"mentions": []mention{{"a", 2, 4}, {"x", 30, 32}, {"b", 34, 36}},
		"urls":     []url{{"https://long.example/?q=(@x)", "https://s/1", 5, 33}},
	}
	create := func() (got post, err error) {
		err = exampletest.Node(t, dir, "create_post.handler", encode(t, in), &got)
		return got, err
	}
	got, err := create()
	if err != nil {
		t.Fatal(err)
	}
	want := post{
		ID: got.ID, Author: "ada", Text: "🧮 @a https://s/1 @b",
		Mentions: []mention{{"a", 2, 4}, {"b", 17, 19}},
		URLs:     []url{{"https://long.example/?q=(@x)", "https://s/1", 5, 16}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("post (-want +got):\n%s", diff)
	}
	if again, err := create(); err != nil || again.ID != got.ID || len(got.ID) != 16 {
		t.Errorf("ids %q and %q, %v", got.ID, again.ID, err)
	}
	in["run"] = "r2"
	if other, err := create(); err != nil || other.ID == got.ID {
		t.Errorf("another run's post has the same id: %v", err)
	}
	in["mentions"], in["urls"] = []mention{}, []url{}
	in["text"] = strings.Repeat("🧮", 500)
	if _, err := create(); err != nil {
		t.Errorf("500 characters: %v", err)
	}
	in["text"] = strings.Repeat("x", 501)
	_, err = create()
	if raised := (*exampletest.HandlerError)(nil); !errors.As(err, &raised) || raised.Type != "PostTooLong" {
		t.Errorf("501 characters: %v", err)
	}
}

// publish calls the program with a post of the given id. With an error comes what it said about it.
func publish(t *testing.T, store, id string) (problem string, err error) {
	t.Helper()
	exampletest.Need(t, "python3", "Python 3.9 or later")
	input := map[string]any{"post": post{ID: id, Text: `"id": "x"`}}
	if store != "" {
		input["store"] = store
	}
	out, stderr, err := exampletest.Command(t, dir, encode(t, input), filepath.Join(dir, "publish.py"))
	if err != nil {
		return string(out) + stderr, err
	}
	var got published
	if err := json.Unmarshal(out, &got); err != nil || got.Post.ID != id || got.Store != store {
		t.Errorf("publish answered %s: %v", out, err)
	}
	return stderr, nil
}

func TestPublishIsIdempotent(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "posts")
	var all sync.WaitGroup
	for i := range 9 {
		all.Go(func() {
			if stderr, err := publish(t, store, fmt.Sprint(i%3)); err != nil {
				t.Errorf("publish: %v\n%s", err, stderr)
			}
		})
	}
	all.Wait()
	if ids := stored(t, store); len(ids) != 3 {
		t.Errorf("stored %q", ids)
	}
}

// overtaken runs publish.py so that a publisher of another and of the same post goes first, at the last moment: when this
// one asks for its turn.
const overtaken = `
import fcntl, runpy, sys
lock = fcntl.flock
def flock(f, how):
    if how != fcntl.LOCK_EX:
        sys.exit("not an exclusive lock")
    with open(sys.argv[1], "a") as other:
        other.write('{"id": "0"}\n{"id": "1"}\n')
    sys.stderr.write("overtaken")
    lock(f, how)
fcntl.flock = flock
runpy.run_path("publish.py", run_name="__main__")
`

func TestPublishersTakeTurns(t *testing.T) {
	t.Parallel()
	python := exampletest.Need(t, "python3", "Python 3.9 or later")
	store := filepath.Join(t.TempDir(), "posts")
	input := encode(t, map[string]any{"post": post{ID: "1"}, "store": store})
	_, stderr, err := exampletest.Command(t, dir, input, python, "-c", overtaken, store)
	if err != nil || stderr != "overtaken" {
		t.Fatalf("publish: %v\n%s", err, stderr)
	}
	if ids := stored(t, store); strings.Join(ids, " ") != "0 1" {
		t.Errorf("stored %q", ids)
	}
}

func stored(t *testing.T, store string) (ids []string) {
	t.Helper()
	b, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var p post
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		ids = append(ids, p.ID)
	}
	return ids
}

// TestPublishAfterCrash cuts the last line of a store everywhere.
func TestPublishAfterCrash(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "posts")
	first := `{"id": "1", "text": ""}` + "\n"
	second := `{"id": "2"}` + "\n"
	for _, n := range []int{0, 1, 5, 9, len(second) - 1} {
		if err := os.WriteFile(store, []byte(first+second[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		if stderr, err := publish(t, store, "2"); err != nil {
			t.Fatalf("after %d bytes: %v\n%s", n, err, stderr)
		}
		if ids := stored(t, store); strings.Join(ids, " ") != "1 2" {
			t.Errorf("after %d bytes: stored %q", n, ids)
		}
	}
}

func TestPublishLeavesOtherFilesAlone(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other")
	for _, content := range []string{"precious", "precious\n", "[1]\n", "{}\n{\"id\": \"1\"}\n"} {
		if err := os.WriteFile(other, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		problem, err := publish(t, other, "2")
		if err == nil || !strings.Contains(problem, `"BadStore"`) || !strings.Contains(problem, "something else than posts") {
			t.Errorf("store %q: %v\n%s", content, err, problem)
		}
		if b, err := os.ReadFile(other); err != nil || string(b) != content {
			t.Errorf("%q became %q, %v", content, b, err)
		}
	}
	for store, want := range map[string]string{"posts": "absolute", t.TempDir(): "cannot write", "/none/posts": "cannot write"} {
		if stderr, err := publish(t, store, "2"); err == nil || !strings.Contains(stderr, want) {
			t.Errorf("store %s: %v\n%s", store, err, stderr)
		}
	}
}
