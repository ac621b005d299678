package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/weftworks/weft/unum/protocol"
)

// code is the functions of examples/text. Each call answers something new beside what it is asked for, a mark, so that it
// shows when two executions of one instance are both seen.
type code struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // by run and reader: the marks that it has been given
	runs map[string]int64           // calls, by function
}

func newCode() *code { return &code{seen: map[string]map[string]bool{}, runs: map[string]int64{}} }

type mention struct {
	User       string `json:"user"`
	Start, End int
}

type link struct {
	URL   string `json:"url"`
	Short string `json:"short,omitempty"`
	Mark  string `json:"mark,omitempty"`
}

type post struct {
	Run      string    `json:"run,omitempty"`
	ID       string    `json:"id"`
	Author   string    `json:"author"`
	Text     string    `json:"text"`
	Mentions []mention `json:"mentions"`
	URLs     []link    `json:"urls"`
}

func newMark() string { return "mark-" + strconv.FormatUint(rand.Uint64(), 36) }

func isMark(user string) bool { return strings.HasPrefix(user, "mark-") }

// saw notes the marks in what a function was given.
func (c *code) saw(run, reader string, marks ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := run + " " + reader
	if c.seen[key] == nil {
		c.seen[key] = map[string]bool{}
	}
	c.seen[key][strings.Join(marks, "+")] = true
}

// twice returns the readers that have seen two values of one instance.
func (c *code) twice() (found []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, marks := range c.seen {
		if len(marks) > 1 {
			found = append(found, fmt.Sprintf("%s has seen %d values", key, len(marks)))
		}
	}
	slices.Sort(found)
	return found
}

// run is the unum.Run of an execution of a run.
func (c *code) run(run string) func(ctx context.Context, name string, input []byte) protocol.Outcome {
	return func(_ context.Context, name string, input []byte) protocol.Outcome {
		c.mu.Lock()
		c.runs[name]++
		c.mu.Unlock()
		out, err := c.call(run, name, input)
		if err != nil {
			return protocol.Outcome{Kind: protocol.Raised, Error: "BadInput", Cause: err.Error()}
		}
		return protocol.Outcome{Kind: protocol.Returned, Output: out}
	}
}

func (c *code) call(run, name string, input []byte) ([]byte, error) {
	switch name {
	case "user_mention":
		return answer(input, func(in post) any {
			mentions := []mention{{User: newMark()}}
			for word := range strings.FieldsSeq(in.Text) {
				if user, ok := strings.CutPrefix(word, "@"); ok {
					mentions = append(mentions, mention{User: user})
				}
			}
			return map[string]any{"mentions": mentions}
		})
	case "find_url":
		return answer(input, func(in post) any {
			urls := []link{{Mark: newMark()}}
			for word := range strings.FieldsSeq(in.Text) {
				if strings.HasPrefix(word, "http") {
					urls = append(urls, link{URL: word})
				}
			}
			return map[string]any{"urls": urls}
		})
	case "shorten_url":
		return answer(input, func(in post) any {
			c.saw(run, name, in.URLs[0].Mark)
			for i := range in.URLs[1:] {
				in.URLs[i+1].Short = fmt.Sprintf("s/%d", len(in.URLs[i+1].URL))
			}
			in.URLs[0].Mark += "," + newMark()
			return map[string]any{"urls": in.URLs}
		})
	case "create_post":
		return answer(input, func(in post) any {
			c.saw(run, name, in.Mentions[0].User, in.URLs[0].Mark)
			in.ID = newMark()
			return in
		})
	case "publish":
		return answer(input, func(in struct {
			Post post `json:"post"`
		}) any {
			c.saw(run, name, in.Post.ID, in.Post.Mentions[0].User, in.Post.URLs[0].Mark)
			return in
		})
	}
	return nil, fmt.Errorf("there is no function %s", name)
}

func answer[T any](input []byte, f func(T) any) ([]byte, error) {
	var in T
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, err
	}
	return json.Marshal(f(in))
}

// check compares the result of run i with what it has to be.
func (c *code) check(run string, i int, output []byte) error {
	var out struct {
		Post post `json:"post"`
	}
	if err := json.Unmarshal(output, &out); err != nil {
		return err
	}
	p := out.Post
	if p.Author != "ann" || p.Text != text(i) || len(p.Mentions) != 2 || p.Mentions[1].User != fmt.Sprintf("user%d", i) || len(p.URLs) != 2 ||
		p.URLs[1].Short != fmt.Sprintf("s/%d", len(fmt.Sprintf("http://example.com/%d", i))) || !isMark(p.ID) || p.Run != run {
		return fmt.Errorf("the result is not that of the input: %s", output)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[run+" publish"][strings.Join([]string{p.ID, p.Mentions[0].User, p.URLs[0].Mark}, "+")] {
		return fmt.Errorf("the result is of other values than publish has seen: %s", output)
	}
	return nil
}

func text(i int) string { return fmt.Sprintf("hi @user%d see http://example.com/%d now", i, i) }
