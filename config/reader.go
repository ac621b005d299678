package config

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weftworks/weft/engine/function"
)

// reader collects what is wrong while it reads.
type reader struct {
	dir      string
	problems []Problem
}

// fields says what reads the value of each key of a mapping.
type fields map[string]func(*yaml.Node)

func (r *reader) problem(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

func (r *reader) sort() {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// syntax takes the error of the YAML parser, which says the line in its words.
func (r *reader) syntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	p := Problem{Message: "this is not YAML: " + message}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column = 1
		p.Message = "this is not YAML: " + strings.TrimPrefix(err.Error(), m[0])
	}
	r.problems = append(r.problems, p)
}

// each calls f with every key and value of a mapping.
func (r *reader) each(n *yaml.Node, what string, f func(key, value *yaml.Node)) bool {
	n = target(n)
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return true
	}
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s is a mapping (key: value), not %s", what, kind(n))
		return false
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := target(n.Content[i])
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			r.problem(key, "a key of %s is text", what)
			continue
		}
		if first := seen[key.Value]; first > 0 {
			r.problem(key, "%s: %s is there twice, first on line %d", what, key.Value, first)
			continue
		}
		seen[key.Value] = key.Line
		f(key, target(n.Content[i+1]))
	}
	return true
}

// target follows aliases.
func target(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// mapping reads a mapping whose keys are known.
func (r *reader) mapping(n *yaml.Node, what string, f fields) bool {
	return r.each(n, what, func(key, value *yaml.Node) {
		read := f[key.Value]
		if read == nil {
			known := slices.Sorted(maps.Keys(f))
			hint := suggest(key.Value, known)
			if hint == "" {
				hint = "; it knows " + strings.Join(known, ", ")
			}
			r.problem(key, "%s has no key %q%s", what, key.Value, hint)
			return
		}
		read(value)
	})
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

// text reads a scalar that is not empty, whatever YAML takes it for.
func (r *reader) text(n *yaml.Node, to *string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.problem(n, "this is a text that is not empty, not %s", kind(n))
		return false
	}
	*to = n.Value
	return true
}

// path reads a path and makes it absolute.
func (r *reader) path(n *yaml.Node, to *string) {
	if !r.text(n, to) {
		return
	}
	if !filepath.IsAbs(*to) {
		*to = filepath.Join(r.dir, filepath.FromSlash(*to))
	}
}

// texts reads a mapping of texts, empty ones included.
func (r *reader) texts(n *yaml.Node, what string, to *map[string]string) {
	all := map[string]string{}
	r.each(n, what, func(key, v *yaml.Node) {
		switch {
		case v.Kind != yaml.ScalarNode:
			r.problem(v, "%s: %s is a text, not %s", what, key.Value, kind(v))
		case key.Value == "" || strings.ContainsAny(key.Value, "=\x00\r\n") || strings.ContainsAny(v.Value, "\x00"):
			r.problem(key, "%s: %q cannot be a name, or its value holds a zero byte", what, key.Value)
		case v.Tag == "!!null":
			all[key.Value] = ""
		default:
			all[key.Value] = v.Value
		}
	})
	*to = all
}

// list reads a list of texts, at least one.
func (r *reader) list(n *yaml.Node, to *[]string) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		r.problem(n, "this is a list with a program and its arguments, like [./bill.sh, --strict], not %s", kind(n))
		return
	}
	for i, v := range n.Content {
		v = target(v)
		if v.Kind != yaml.ScalarNode || (i == 0 && v.Value == "") {
			r.problem(v, "an element of this list is text, not %s", kind(v))
			continue
		}
		*to = append(*to, v.Value)
	}
}

func (r *reader) boolean(n *yaml.Node, to *bool) {
	if n.Kind != yaml.ScalarNode || (n.Value != "true" && n.Value != "false") {
		r.problem(n, "this is true or false, not %s", kind(n))
		return
	}
	*to = n.Value == "true"
}

func (r *reader) integer(n *yaml.Node, to *int, least, most int) bool {
	v, err := strconv.Atoi(strings.ReplaceAll(n.Value, "_", ""))
	if n.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		r.problem(n, "this is a whole number from %d to %d, not %s", least, most, kind(n))
		return false
	}
	*to = v
	return true
}

func (r *reader) duration(n *yaml.Node, to *time.Duration, least, most time.Duration) {
	if n.Kind != yaml.ScalarNode {
		r.problem(n, "this is a duration like 90s, 1h30m or 7d, not %s", kind(n))
		return
	}
	d, err := ParseDuration(n.Value)
	if err != nil {
		r.problem(n, "%v", err)
		return
	}
	if d < least || d > most {
		r.problem(n, "this is a duration from %v to %v, not %s", least, most, n.Value)
		return
	}
	*to = d
}

var rates = regexp.MustCompile(`^(\d+(?:\.\d+)?)/([smh])$`)

// rate reads calls a second.
func (r *reader) rate(n *yaml.Node, to *float64) {
	m := rates.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		r.problem(n, "this is a rate, a number with /s, /m or /h like 100/s or 10/m, not %s", kind(n))
		return
	}
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[m[2]]
	v, err := strconv.ParseFloat(m[1], 64)
	if v /= seconds; err != nil || v < function.RateLeast || v > function.RateMost {
		r.problem(n, "this is a rate from 1/h to %d/s, not %s", function.RateMost, n.Value)
		return
	}
	*to = v
}

// weights reads a mapping of tenants to weights.
func (r *reader) weights(n *yaml.Node, to *map[string]int) {
	const most = 10_000
	all := map[string]int{}
	r.each(n, "tenants", func(key, v *yaml.Node) {
		var weight int
		if r.integer(v, &weight, 1, function.WeightMost) {
			all[key.Value] = weight
		}
	})
	if len(all) > most {
		r.problem(n, "tenants names %d tenants, at most %d have a weight of their own", len(all), most)
		return
	}
	*to = all
}

var days = regexp.MustCompile(`^(\d+(?:\.\d+)?)d`)

// ParseDuration reads what time.ParseDuration reads, with days (24 hours) in front: "7d", "1d12h", "90s".
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration; write a number with a unit, like 500ms, 90s, 1h30m or 7d", s)
	rest, total := s, time.Duration(0)
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil || n > 36_500 {
			return 0, bad
		}
		total, rest = time.Duration(n*24*float64(time.Hour)), s[len(m[0]):]
	}
	if rest != "" || total == 0 {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, bad
		}
		total += d
	}
	return total, nil
}

// ParseRetention reads how long something is kept: a duration from 1s to 100 years, or 0 or "forever", which are 0.
func ParseRetention(s string) (time.Duration, error) {
	if s == "forever" {
		return 0, nil
	}
	d, err := ParseDuration(s)
	const least, most = time.Second, 100 * 365 * 24 * time.Hour
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q does not say how long to keep runs; write a duration like 12h or 7d, or forever", s)
	case d == 0:
		return 0, nil
	case d < least || d > most:
		return 0, fmt.Errorf("%q is not from 1s to 100 years; to keep runs for ever, write forever", s)
	}
	return d, nil
}

var sizes = regexp.MustCompile(`^(\d+)\s*(B|KiB|MiB|GiB|KB|MB|GB|)$`)

var units = map[string]int{
	"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9,
}

func (r *reader) size(n *yaml.Node, to *int, least, most int) {
	m := sizes.FindStringSubmatch(n.Value)
	if n.Kind != yaml.ScalarNode || m == nil {
		r.problem(n, "this is a size like 256KiB or 4MiB, not %s", kind(n))
		return
	}
	v, err := strconv.Atoi(m[1])
	if err != nil || v > most/units[m[2]] || v*units[m[2]] < least {
		r.problem(n, "this is a size from %d to %d bytes, not %s", least, most, n.Value)
		return
	}
	*to = v * units[m[2]]
}

// suggest returns "; did you mean …?" for the known word nearest to s, or "".
func suggest(s string, known []string) string {
	slices.Sort(known)
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(s), k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance counts the letters to insert, remove, replace or swap with their neighbour to get from a to b
// (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
