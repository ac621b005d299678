package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// dropped are members that are compared nowhere: they say how the recording was made.
var dropped = map[string]bool{
	"ResponseMetadata": true, "SdkHttpMetadata": true, "SdkResponseMetadata": true,
	"RedriveCount": true, "redriveCount": true, "redriveStatus": true,
}

// normal returns v with strings that hold a JSON object or array as what they hold, at any depth, and
// without the members that are not compared.
func normal(v any) any { return opened(v, 1000) }

// opened is normal for strings at most so many strings deep.
func opened(v any, depth int) any {
	switch v := v.(type) {
	case string:
		var tree any
		if s := strings.TrimSpace(v); depth > 0 && s != "" && (s[0] == '{' || s[0] == '[') && json.Unmarshal([]byte(s), &tree) == nil {
			return opened(tree, depth-1)
		}
		return v
	case map[string]any:
		o := make(map[string]any, len(v))
		for k, x := range v {
			if !dropped[k] {
				o[k] = opened(x, depth)
			}
		}
		return o
	case []any:
		l := make([]any, len(v))
		for i, x := range v {
			l[i] = opened(x, depth)
		}
		return l
	}
	return v
}

// token is a place in a recorded string whose text was replaced.
var token = regexp.MustCompile(`<<[^<>]*>[^<>]*>|<[^<>]*>`)

// numbered is a token that stands for the same text wherever it stands.
var numbered = regexp.MustCompile(`^<.*\d+.*>$`)

// placeholders are recorded strings that stand for any.
var placeholders = map[string]bool{
	"date": true, "datetime": true, "map_run_arn": true, "timestamp": true, "start-time": true, "entered-time": true,
	"start-date": true, "stop-date": true, "execution-arn": true, "state-machine-arn": true,
	"X-Amzn-Trace-Id": true, "x-amzn-RequestId": true, "RequestId": true,
}

// replacedField is a recorded string that names the field it replaced.
var replacedField = regexp.MustCompile(`^[a-zA-Z]+EventDetails\.(input|output)$`)

// matcher compares recorded values with ours and remembers what tokens stood for.
type matcher struct {
	bound map[string]string
	lacks map[string]bool // members that ours may have and the recording has not
	c     *Case           // whose rewrites there are; nil: none
	exact bool            // texts have no tokens in them: they are a history of AWS as it is
	each  bool            // they are applied to those of our texts to which the recording has applied them
}

func (m *matcher) clone() matcher {
	return matcher{bound: maps.Clone(m.bound), lacks: m.lacks, c: m.c, each: m.each}
}

// some reports whether want and got match from where m was before, when the recording has applied the rewrites to some of
// its texts only.
func (m *matcher) some(before matcher, at string, want, got any) bool {
	if before.each = true; before.match(at, want, got) != nil {
		return false
	}
	m.bound = before.bound
	return true
}

func (m *matcher) match(at string, want, got any) error {
	want, got = normal(want), normal(got)
	return m.values(at, want, got)
}

func (m *matcher) values(at string, want, got any) error {
	switch w := want.(type) {
	case string:
		return m.strings(at, w, got)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return differ(at, want, got)
		}
		return m.objects(at, w, g)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return differ(at, want, got)
		}
		for i := range w {
			if err := m.values(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if want != got {
		return differ(at, want, got)
	}
	return nil
}

func (m *matcher) objects(at string, want, got map[string]any) error {
	if _, ok := want["ExecutionArn"]; ok {
		want, got = withoutLength(want), withoutLength(got)
	}
	keys := make([]string, 0, len(want))
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		g, ok := got[k]
		if !ok {
			return fmt.Errorf("%s.%s: recorded %s, ours is absent", at, k, show(want[k]))
		}
		if err := m.values(at+"."+k, want[k], g); err != nil {
			return err
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok && !m.lacks[k] {
			return fmt.Errorf("%s.%s: not recorded, ours is %s", at, k, show(g))
		}
	}
	return nil
}

// randomEnd is the random end of a name. The recordings have written "uid" before it, but not wherever the name stands.
var (
	randomEnd = regexp.MustCompile(`-(uid)?[0-9a-f]{8}\b`)
	bareEnd   = regexp.MustCompile(`-[0-9a-f]{8}\b`)
)

func unnamed(text string) string { return randomEnd.ReplaceAllLiteralString(text, "-uid") }

// withoutLength leaves out how long the answer of StartExecution was, which has a name that was rewritten and a time with
// as many digits as it needed.
func withoutLength(answer map[string]any) map[string]any {
	meta, ok := answer["SdkHttpMetadata"].(map[string]any)
	if !ok {
		return answer
	}
	answer, meta = maps.Clone(answer), maps.Clone(meta)
	for _, k := range [...]string{"AllHttpHeaders", "HttpHeaders"} {
		if headers, ok := meta[k].(map[string]any); ok {
			headers = maps.Clone(headers)
			delete(headers, "Content-Length")
			meta[k] = headers
		}
	}
	answer["SdkHttpMetadata"] = meta
	return answer
}

func (m *matcher) strings(at, want string, got any) error {
	if m.exact {
		if g, ok := got.(string); !ok || settled(g) != settled(want) {
			return differ(at, want, got)
		}
		return nil
	}
	if placeholders[unquoted(want)] || replacedField.MatchString(want) {
		return nil
	}
	g, ok := got.(string)
	if !ok {
		if token.FindString(want) == want && want != "" {
			return nil // a token for a whole value
		}
		return differ(at, want, got)
	}
	if m.each {
		if rewritten := m.c.rewritten(g); rewritten != g && m.text(at, want, rewritten) == nil {
			return nil
		}
	}
	return m.text(at, want, g)
}

// text compares a recorded text, in which there may be tokens, with one of ours.
func (m *matcher) text(at, want, g string) error {
	if g == want || bareEnd.MatchString(want) && unnamed(g) == unnamed(want) {
		return nil
	}
	tokens := token.FindAllString(want, -1)
	if tokens == nil {
		return differ(at, want, g)
	}
	parts := token.Split(want, -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	found := regexp.MustCompile(`(?s)^` + strings.Join(parts, `(.*?)`) + `$`).FindStringSubmatch(g)
	if found == nil {
		return differ(at, want, g)
	}
	for i, t := range tokens {
		if !numbered.MatchString(t) {
			continue
		}
		if was, ok := m.bound[t]; ok && was != found[i+1] {
			return fmt.Errorf("%s: %s is %q here and was %q before", at, t, found[i+1], was)
		}
		m.bound[t] = found[i+1]
	}
	return nil
}

func differ(at string, want, got any) error {
	return fmt.Errorf("%s: recorded %s, ours is %s", at, show(want), show(got))
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > 400 {
		return string(text[:400]) + "…"
	}
	return string(text)
}

// unquoted is what s holds when it is the JSON of a string, as the values of assigned variables are; else s.
func unquoted(s string) string {
	var text string
	if strings.HasPrefix(s, `"`) && json.Unmarshal([]byte(s), &text) == nil {
		return text
	}
	return s
}

// outcome compares status, output and error name.
func (m *matcher) outcome(r record, got map[string]any) error {
	want := r.outcome
	if r.history != nil {
		want = outcomeOf(r.history)
	}
	for _, k := range [...]string{"status", "output", "error"} {
		if err := m.match(k, want[k], got[k]); err != nil {
			return err
		}
	}
	return nil
}

// outcomeOf takes an execution's outcome from the last event of its history.
func outcomeOf(events []any) map[string]any {
	last, _ := events[len(events)-1].(map[string]any)
	t, _ := last["type"].(string)
	o := map[string]any{"status": statusOf(t)}
	for k, v := range last {
		if d, ok := v.(map[string]any); ok && strings.HasSuffix(k, "EventDetails") {
			for name, x := range d {
				o[name] = x
			}
		}
	}
	return o
}

// Matcher compares answers of API calls with recorded ones. What a numbered token stands for must be the same
// in all of them.
type Matcher struct {
	c *Case
	m matcher
}

// NewMatcher returns a Matcher for the case.
func (c *Case) NewMatcher() *Matcher {
	return &Matcher{c: c, m: matcher{bound: map[string]string{}}}
}

// Match compares our answer, a JSON object, with the one recorded under label. An error says where they
// differ first.
func (x *Matcher) Match(label string, answer []byte) error {
	recorded, ok := x.c.Expected[label]
	if !ok {
		return fmt.Errorf("nothing was recorded under %q", label)
	}
	var want, got map[string]any
	if err := json.Unmarshal(recorded, &want); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	return x.m.match(label, want, x.c.ours(got))
}
