package jsonata

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// oracle is the reference implementation, in a process of its own: testdata/oracle/oracle.js.
type oracle struct {
	mu    sync.Mutex
	args  []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte
}

// oracleTime is what $now and $millis answer.
const oracleTime = 1767323045006

type answer struct {
	Result   *string `json:"result"`
	Code     string  `json:"code"`
	Token    string  `json:"token"`
	Position int     `json:"position"`
	Message  string  `json:"message"`
	NS       float64 `json:"ns"`
}

func startOracle(t testing.TB, args ...string) *oracle {
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is missing: install Node.js 20 or later to compare with the reference")
	}
	if _, err := os.Stat(filepath.Join("testdata", "oracle", "node_modules", "jsonata")); err != nil {
		missing("the reference is missing: run `make tools`")
	}
	o := &oracle{args: append([]string{filepath.Join("testdata", "oracle", "oracle.js")}, args...)}
	o.start(t)
	t.Cleanup(o.stop)
	return o
}

func (o *oracle) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command("node", o.args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 64<<20)
		for s.Scan() {
			lines <- bytes.Clone(s.Bytes())
		}
	}()
	o.cmd, o.in, o.lines = cmd, in, lines
}

func (o *oracle) stop() {
	o.in.Close()
	o.cmd.Process.Kill()
	for range o.lines {
	}
	o.cmd.Wait()
}

// ask has the reference evaluate. Some expressions make it loop for ever; they are given up on after a while, as
// U1001, which is what no expression can be judged by.
func (o *oracle) ask(t testing.TB, request map[string]any) answer {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.in.Write(append(text, '\n')); err != nil {
		t.Fatal(err)
	}
	var a answer
	select {
	case line, ok := <-o.lines:
		if !ok {
			t.Fatalf("the reference ended at %s", text)
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Second):
		o.stop()
		o.start(t)
		a.Code = "U1001"
	}
	return a
}

// compare evaluates here and there and says what differs; "" is nothing.
func (o *oracle) compare(t testing.TB, expr string, input string) string {
	t.Helper()
	request := map[string]any{"expr": expr, "now": oracleTime}
	env := &Env{Now: oracleTime, Limits: Limits{Depth: 1000, Steps: 3_000_000}}
	if input != "" {
		request["input"] = json.RawMessage(input)
		env.Input, env.HasInput = tree(t, []byte(input)), true
	}
	want := o.ask(t, request)
	if want.Code == "JS" || want.Code == "U1001" { // the reference broke down, or another limit counts
		want.Code = "?"
	}
	var v any
	var defined bool
	x, err := CompileWith(expr, Options{Eval: true})
	if err == nil {
		v, defined, err = x.Eval(env)
	}
	return difference(v, defined, err, want, strings.Contains(expr, ","))
}

// difference says what differs. parallel is whether the reference evaluates parts at the same time, so that of two
// errors either may come first.
func difference(v any, defined bool, err error, want answer, parallel bool) string {
	var e *Error
	got := "undefined"
	switch {
	case errors.As(err, &e):
		got = e.Code + " token " + e.Token + ": " + e.Message
	case defined:
		if _, ok := v.(Function); ok {
			v = ""
		}
		got = jsonvalue.Text(v)
	}
	expected := "undefined"
	switch {
	case want.Code == "?":
		return ""
	case want.Code != "":
		expected = want.Code + " token " + want.Token + ": " + want.Message
		if want.Code == "D1001" && want.Message == "not finite" && e != nil && e.Code == "D1001" {
			return ""
		}
	case want.Result != nil:
		if w, err := jsonvalue.ParseString(*want.Result); err == nil {
			expected = jsonvalue.Text(w)
		}
	}
	if got == expected || e != nil && want.Code != "" && parallel {
		return ""
	}
	if strings.ReplaceAll(expected, "[null]", "[]") == strings.ReplaceAll(got, "[null]", "[]") {
		return "" // grouping an empty array, the reference puts an undefined item into the input itself
	}
	return "got  " + got + "\n\twant " + expected
}

// TestOracleSuite compares all of an answer, order of keys and words of errors included.
func TestOracleSuite(t *testing.T) {
	t.Parallel()
	o := startOracle(t)
	datasets, cases := loadSuite(t)
	for _, c := range cases {
		if c.Bindings != nil && string(c.Bindings) != "{}" || c.Timelimit != 0 {
			continue
		}
		input := string(c.Data)
		if c.Data == nil && c.Dataset != nil {
			v, _ := datasets.Get(*c.Dataset)
			input = jsonvalue.Text(v)
		}
		expr := c.text(t)
		if strings.HasPrefix(c.ID, "function-formatNumber/issue785") {
			continue // where the reference never ends
		}
		if !c.Passes || !utf8.ValidString(expr) || strings.Contains(expr, "$random") || strings.Contains(expr, "$shuffle") {
			continue
		}
		if wrong := o.compare(t, expr, input); wrong != "" {
			t.Errorf("%s: %.300s\n\t%.600s", c.ID, expr, wrong)
		}
	}
}

// oracleInput is what generated expressions look at.
const oracleInput = `{"1": "one", "2": "two",
	"a": 1, "b": "two", "c": [3, 4.5, -6], "d": null, "e": true, "f": {"g": [{"h": 1, "i": "x"}, {"h": 2, "i": "y"}, {"h": 2}], "j": []},
	"list": [{"n": "ann", "v": 10, "t": ["p", "q"], "o": {"z": 1}}, {"n": "bob", "v": 7, "t": ["q"], "o": {"z": 2}},
		{"n": "cy", "v": 10, "t": [], "o": {"z": 3, "y": {"x": [1, 2]}}}],
	"s": "Hello, World! 123 füü 😀", "nest": [[1, 2], [3], [], [[4]]], "w": " a  b\tc ", "date": "2017-05-15T15:12:59.152Z", "ms": 1494861179152
}`

// generator makes expressions. Most are meaningful, some are not.
type generator struct {
	*rand.Rand
	vars []string
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) leaf() string {
	switch g.IntN(9) {
	case 0:
		return g.pick("0", "1", "2", "-1", "3.7", "100", "1e3", "0.1", "12345678.9")
	case 1:
		return g.pick(`"a"`, `""`, `"Hello"`, `"l"`, `"a,b,c"`, `"12"`, `"é😀"`, `"x"`, `", "`)
	case 2:
		return g.pick("true", "false", "null", "[]", "{}", "nothing", "$")
	case 3:
		if len(g.vars) > 0 {
			return "$" + g.vars[g.IntN(len(g.vars))]
		}
	case 4:
		return g.pick("[1..3]", "[1,2,3]", `["b","a"]`, "[[1,2],[3]]", `{"k":1,"2":2,"1":3}`, "[1..a]")
	}
	return g.pick("a", "b", "c", "d", "e", "f", "list", "s", "nest", "w", "date", "ms", "f.g", "list.v", "list.n", "f.g.h", "list.t", "list.o.z", "`2`")
}

func (g *generator) path(depth int) string {
	p := g.pick("list", "f.g", "c", "nest", "f", "$", "list.t", "**", "*", "list.o", "$$.list", g.leaf())
	for range g.IntN(3) {
		switch g.IntN(12) {
		case 0:
			p += "[" + g.expr(depth-1) + "]"
		case 1:
			p += g.pick("[0]", "[-1]", "[1]", "[v>7]", "[n='bob']", "[[0,1]]", "[h=2]", "[]")
		case 2:
			p += "." + g.pick("n", "v", "h", "i", "t", "o.z", "*", "**", "$", "g", "(n & v)", "%", "t.%.n", "$string()", "$uppercase(n)")
		case 3:
			p += ".(" + g.expr(depth-1) + ")"
		case 4:
			p += g.pick("^(v)", "^(>v)", "^(<n,>v)", "^(v,n)", "^($)")
		case 5:
			p += ".{" + g.expr(0) + ": " + g.expr(depth-1) + "}"
		case 6:
			p += "{n: v}"
		case 7:
			p += g.pick("#$i", "#$i.[$i, v]", "@$x", "@$x.[$x.n]", "@$x#$i[$i<2].{'n': $x.n, 'i': $i}", "#$i[$i=1]", "@$x.$$.list@$y[$x.v=$y.v].($x.n & $y.n)")
		case 8:
			p += g.pick(".[n, v]", ".[t]", ".[$]", ".t[0]", ".t[-1]", ".o.y.x", ".[1..v]")
		case 9:
			p += "{" + g.pick("n", "$string(v)", "t[0]", `"k"`) + ": " + g.pick("v", "$", "$sum(v)", "t", "[v]", "$count($)") + "}"
		}
	}
	return p
}

func (g *generator) call(depth int) string {
	e := func() string { return g.expr(depth - 1) }
	f := func() string {
		return g.pick("function($q){"+g.with("q", depth-1)+"}", "function($q,$r){"+g.with("q", depth-1)+"}", "$string", "$uppercase",
			"function($q,$r,$p){$q}", "$sum", "$length", "function($q){$q > 2}", "function($q,$r){$q & $r}", "function($q){$substring(?, 1)($string($q))}", "/l+/", "$not ~> $string")
	}
	re := func() string {
		return g.pick("/l+/", "/[a-z]/i", "/(.)l(.)/", "/\\s+/", "/o|(w)/i", "/\\d/", "/^./m", "/(?=l)l/", "/[^,]+/", "/ü/", "/x*/")
	}
	switch g.IntN(30) {
	case 0, 1:
		return g.pick("$sum", "$count", "$max", "$min", "$average", "$string", "$number", "$boolean", "$not", "$exists", "$type", "$keys", "$reverse",
			"$distinct", "$sort", "$spread", "$merge", "$length", "$uppercase", "$lowercase", "$trim", "$floor", "$ceil", "$round", "$abs", "$sqrt",
			"$zip", "$single", "$base64encode", "$encodeUrl", "$encodeUrlComponent", "$toMillis", "$fromMillis", "$clone", "$formatBase") + "(" + e() + ")"
	case 2:
		return g.pick("$append", "$zip", "$lookup", "$substringBefore", "$substringAfter", "$contains", "$split", "$join", "$power", "$round", "$pad", "$formatBase") + "(" + e() + ", " + e() + ")"
	case 3:
		return g.pick("$map", "$filter", "$single", "$each", "$sift", "$reduce", "$sort") + "(" + e() + ", " + f() + ")"
	case 4:
		return "$map(" + g.path(depth-1) + ", " + f() + ")"
	case 5:
		return "$filter(" + g.path(depth-1) + ", " + f() + ")"
	case 6:
		return "$reduce(" + g.pick("c", "list.v", "[1..5]", "list.n") + ", function($q,$r){$q " + g.pick("+", "&", "*") + " $r}" + g.pick("", ", 1", ", 'z'") + ")"
	case 7:
		return "$substring(" + g.pick("s", "b", e()) + ", " + g.pick("0", "1", "-3", "7", "100", e()) + g.pick("", ", 2", ", -1", ", 0", ", 50") + ")"
	case 8:
		return "$replace(" + g.pick("s", e()) + ", " + g.pick(re()+", function($m){$m.match & $m.start}", re()+`, "$1-$0"`, re()+`, "$12"`, `"l", "X$$"`, `"l", "$0"`, re()+`, "$$"`) + g.pick("", ", 1", ", 0") + ")"
	case 9:
		return g.pick("$match", "$split", "$contains") + "(" + g.pick("s", "w", e()) + ", " + re() + ")"
	case 10:
		return "$split(" + g.pick("s", `"a,b,c"`) + ", " + g.pick(`","`, `""`, `"l"`, re()) + g.pick("", ", 2", ", 1.5") + ")"
	case 11:
		return "$formatNumber(" + g.pick("a", "12345.678", "-0.5", "0", "1e10", "0.00345", e()) + ", " + g.pick(`"#,##0.00"`, `"0.0e0"`, `"#"`, `"00.##"`, `"0%"`, `"#,##,#0.#"`, `"0‰"`, `"(#0);-#0"`, `"#0.0#,#"`, `"x0y"`) + ")"
	case 12:
		return "$formatInteger(" + g.pick("a", "1999", "-12", "0", "21", "123456", "1000000", e()) + ", " + g.pick(`"w"`, `"W"`, `"Ww;o"`, `"I"`, `"i"`, `"a"`, `"A"`, `"#,##0"`, `"000"`, `"1;o"`, `"０"`, `"#,#0,00"`) + ")"
	case 13:
		return "$fromMillis(" + g.pick("ms", "0", "1e12", "-1e11", e()) + ", " + g.pick(`"[Y]-[M]-[D]"`, `"[D1o] [MNn] [Y]"`, `"[FNn,3-3] [H01]:[m]:[s].[f001]"`, `"[h]:[m][P]"`, `"[W]-[X]-[w]-[x]-[d]"`, `"[Y,2][M01][D01] [Z]"`, `"[z0000] [C][E]"`, `"[[x]] [YI]"`, `"[Dw] [MN,*-3]"`) + g.pick("", `, "-0500"`, `, "+0530"`) + ")"
	case 14:
		return "$toMillis(" + g.pick(`"2018-02-03", "[Y]-[M]-[D]"`, `"3rd March 2020", "[D1o] [MNn] [Y]"`, `"12:30", "[H]:[m]"`, `"11:05pm", "[h]:[m][P]"`, `"2020-02-30"`, `"2020-12"`, `"2020"`, `"2020-01-01T10:00:00+01:00"`, `"2020 45", "[Y] [d]"`, `"MMXX-1", "[YI]-[M]"`) + ")"
	case 15:
		return "$parseInteger(" + g.pick(`"one hundred and five", "w"`, `"XIV", "I"`, `"1,234", "#,##0"`, `"aa", "a"`, `"12th", "1;o"`, `"x", "0"`) + ")"
	case 16:
		return "(" + e() + ") ~> " + g.pick("$string", "$sum", "$uppercase", "$count", f(), "$append(4)", "$join('-')", "$map("+f()+")")
	case 17:
		return "(" + e() + ") ~> |" + g.pick("list", "f.g", "f", "list.o") + "|" + g.pick("{'new': 1}", "{'v': v+1}", "{}", "{'1': 'x'}") + g.pick("", ", 'n'", ", ['v','h']") + "|"
	case 18:
		return "$eval(" + g.pick(`"1+1"`, `"$sum([1,2])"`, `"a"`, `"[1,"`, e()) + ")"
	case 19:
		return "$pad(" + e() + ", " + g.pick("5", "-5", "10") + g.pick("", `, "#"`, `, "ab"`) + ")"
	}
	return g.pick("$sum(c)", "$count(list)", "$keys(f)", "$string(f)", "$string(list, true)", "$join(list.n, '+')", "$now()", "$millis()", "$spread(list.o)", "$merge(list.o)", "$distinct(list.v)", "$sort(list.v)",
		"$lookup(list, 'n')", "$zip(list.v, list.n)", "$error('no')", "$assert(a=2, 'm')", "$decodeUrlComponent('%F0%9F%98%80')", "$base64decode('aGk=')")
}

func (g *generator) with(name string, depth int) string {
	g.vars = append(g.vars, name)
	defer func() { g.vars = g.vars[:len(g.vars)-1] }()
	return g.expr(depth)
}

func (g *generator) expr(depth int) string {
	if depth <= 0 {
		return g.leaf()
	}
	switch g.IntN(14) {
	case 0:
		return g.expr(depth-1) + " " + g.pick("+", "-", "*", "/", "%", "&", "=", "!=", "<", ">=", "and", "or", "in", "<=", ">") + " " + g.expr(depth-1)
	case 1:
		return "(" + g.expr(depth-1) + g.pick("+", "*", "&", "-") + g.leaf() + ")"
	case 2:
		return g.expr(depth-1) + " ? " + g.expr(depth-1) + g.pick("", " : "+g.expr(depth-1))
	case 3:
		return "[" + g.expr(depth-1) + ", " + g.expr(depth-1) + "]"
	case 4:
		return "{" + g.pick(`"x"`, `"1"`, "b", g.leaf()) + ": " + g.expr(depth-1) + `, "y": ` + g.expr(depth-1) + "}"
	case 5:
		return "($v := " + g.expr(depth-1) + "; " + g.with("v", depth-1) + ")"
	case 6:
		return "-" + g.leaf()
	case 7, 8, 9:
		return g.path(depth)
	case 10:
		return "(function($k" + g.pick("", ",$l") + ")" + g.pick("", "<n:n>", "<s-:s>", "<a<n>:n>", "<x?:x>") + "{" + g.with("k", depth-1) + "})(" + g.expr(depth-1) + ")"
	case 11:
		return "[" + g.pick("1", "a", g.leaf()) + ".." + g.pick("3", "a", g.leaf()) + "]"
	}
	return g.call(depth)
}

// regex makes a regular expression.
func (g *generator) regex(depth int) string {
	if depth <= 0 {
		return g.pick("a", "b", "c", "l", "o", ".", "\\d", "\\w", "\\s", "\\W", "[a-c]", "[^a]", "\\b", "^", "$", "é", "[\\w-]", "[^\\d\\s]", "😀", "\\1",
			"\\u00e9", "\\x61", "\\B", "[\\]b]", "\\.", "\\cA", "\\0", "{", "]", "a{,2}", "[a-]", "[]", "[^]", "\\k", "ſ", "ß", "K")
	}
	switch g.IntN(9) {
	case 0:
		return "(" + g.regex(depth-1) + ")"
	case 1:
		return "(?:" + g.regex(depth-1) + "|" + g.regex(depth-1) + ")"
	case 2:
		return g.pick("(?=", "(?!", "(?<=", "(?<!", "(?<n>") + g.regex(depth-1) + ")"
	case 3, 4:
		return g.pick("(?:", "(") + g.regex(depth-1) + ")" + g.pick("*", "+", "?", "{2}", "{1,2}", "{0,3}?", "*?", "+?", "??", "{2,}")
	case 5:
		return g.regex(depth-1) + "|" + g.regex(depth-1)
	}
	return g.regex(depth-1) + g.regex(depth-1)
}

// picture makes a call that formats or reads by a picture.
func (g *generator) picture() string {
	text := func(alphabet []string, n int) string {
		var b strings.Builder
		for range 1 + g.IntN(n) {
			b.WriteString(alphabet[g.IntN(len(alphabet))])
		}
		return strconv.Quote(b.String())
	}
	number := numberText((g.Float64() - 0.3) * math.Pow(10, float64(g.IntN(12)-4)))
	millis := strconv.FormatInt(g.Int64N(8e12)-3e12, 10)
	components := strings.Split("Y M D d F W w X x H h P m s f Z z C E", " ")
	marker := func() string {
		return "[" + components[g.IntN(len(components))] + g.pick("", "", "1", "01", "0001", "n", "N", "Nn", "1o", "w", "i", "I", "A", "#1", "00:00", "9,999", "０", "Ww", "01t") +
			g.pick("", "", ",2", ",3-3", ",*-2", ",4") + "]"
	}
	switch g.IntN(5) {
	case 0:
		return "$formatNumber(" + number + ", " + text([]string{"0", "#", "0", "#", ",", ".", "%", "e", "-", "x", "‰", "00", "##", "0.0", "#,##0"}, 5) +
			g.pick("", "", `, {"decimal-separator": ",", "grouping-separator": "."}`, `, {"zero-digit": "٠"}`, `, {"minus-sign": "M", "exponent-separator": "E"}`) + ")"
	case 1:
		return "$formatInteger(" + number + ", " + text([]string{"0", "#", ",", ":", "1", "w", "I", "a", ";o", "٠", "000", "#,##0", "Ww", "i"}, 3) + ")"
	case 2:
		return "$fromMillis(" + millis + ", '" + marker() + g.pick("", "-", " [[ ", "T") + marker() + "'" + g.pick("", ", '+0100'", ", '-0330'", ", '0545'") + ")"
	case 3:
		shape := "'[Y]" + g.pick("-", "/") + "[M" + g.pick("", "01", "Nn", "n,3-3", "N,3-3") + "]-[D" + g.pick("", "01", "1o", "w", "I") + "]" + g.pick("", " [H]:[m]", " [h][P] [Z]", "T[H01]:[m01]:[s01].[f001][Z01:01]", "[z]", " [FNn]") + "'"
		return "$toMillis($fromMillis(" + strings.TrimPrefix(millis, "-") + ", " + shape + "), " + shape + ")"
	}
	return "$toMillis('" + g.pick("2020", "1999", "1901", "2024") + g.pick("", "-01", "-13", "-02-30", "-12-31", "-00") + g.pick("", "T10:20:30", "T24:00:00", "T23:59:59.5Z", "T23:59:59.123456-0530",
		"T00:00:00+01:00") + "')"
}

// TestOraclePatterns compares regular expressions and pictures.
func TestOraclePatterns(t *testing.T) {
	t.Parallel()
	texts := []string{"abcabc", "hello world", "aaa bb c 12", "é😀 éa", "", "a\nb\nc", "olleh l l", "ABC abc ÉK ſSß"}
	generate(t, 2000, func(g *generator) string {
		if g.IntN(2) == 0 {
			return g.picture()
		}
		return "$match(" + strconv.Quote(texts[g.IntN(len(texts))]) + ", /" + g.regex(1+g.IntN(4)) + "/" + g.pick("", "i", "m", "im") + ")"
	})
}

// TestOracleExpressions compares expressions of all kinds.
func TestOracleExpressions(t *testing.T) {
	t.Parallel()
	generate(t, 1500, func(g *generator) string { return g.expr(1 + g.IntN(4)) })
}

// generate compares what expr makes. WEFT_ORACLE_SEED and WEFT_ORACLE_ROUNDS look further.
func generate(t *testing.T, rounds int, expr func(g *generator) string) {
	o := startOracle(t)
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	seed, failed := number("WEFT_ORACLE_SEED", 1), 0
	for i := range number("WEFT_ORACLE_ROUNDS", rounds) {
		text := expr(&generator{Rand: rand.New(rand.NewPCG(uint64(seed), uint64(i)))})
		if wrong := o.compare(t, text, oracleInput); wrong != "" {
			t.Errorf("%d: %.300s\n\t%.900s", i, text, wrong)
			if failed++; failed == 40 {
				t.FailNow()
			}
		}
	}
}
