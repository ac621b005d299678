package jsonpath

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

const store = `{
  "books": [
    {"title": "Sea", "price": 8.95, "tags": ["a", "b"], "isbn": "1"},
    {"title": "Sky", "price": 12, "tags": [], "stock": null},
    {"title": "Sand", "price": 22.99, "tags": ["b"], "isbn": "3"}
  ],
  "bicycle": {"color": "red", "price": 19.95, "a b": 1, "x.y": 2, "it's": 3},
  "limit": 10,
  "matrix": [[1, 2], [3, 4]],
  "empty": []
}`

func value(t testing.TB, text string) any {
	t.Helper()
	v, err := jsonvalue.ParseString(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// found are paths and what they find in store.
var found = []struct{ path, want string }{
	{"$.limit", "10"},
	{"$['limit']", "10"},
	{`$["bicycle"]['color']`, `"red"`},
	{"$.bicycle['a b']", "1"},
	{"$.bicycle['x.y']", "2"},
	{`$.bicycle['it\'s']`, "3"},
	{"$.bicycle['color','price','none']", `{"color":"red","price":19.95}`},
	{"$.books[0].title", `"Sea"`},
	{"$.books[-1].title", `"Sand"`},
	{"$.[ 'books' ].[ 1 ].title", `"Sky"`},
	{"$.books[0,2].title", `["Sea","Sand"]`},
	{"$.books[0,9].title", `["Sea"]`},
	{"$.books[1:].title", `["Sky","Sand"]`},
	{"$.books[:-1].title", `["Sea","Sky"]`},
	{"$.books[0:3:2].title", `["Sea","Sky","Sand"]`},
	{"$.books[-2:].title", `["Sky","Sand"]`},
	{"$.books[-9:].title", `["Sea","Sky","Sand"]`},
	{"$.books[:-9].title", `[]`},
	{"$.books[-3:-1].title", `["Sea","Sky"]`},
	{"$.books[-2:1].title", `["Sky","Sand","Sea"]`},
	{"$.books[1:-1].title", `[]`},
	{"$.books[9][*]", `[]`},
	{"$.books[5:9]", `[]`},
	{"$.books[*].isbn", `["1","3"]`},
	{"$.bicycle.*", `["red",19.95,1,2,3]`},
	{"$.matrix[*][*]", `[1,2,3,4]`},
	{"$..price", `[8.95,12,22.99,19.95]`},
	{"$..tags[0]", `["a","b"]`},
	{"$.matrix..*", `[[1,2],[3,4],1,2,3,4]`},
	{"$..['title','isbn']", `[{"title":"Sea","isbn":"1"},{"title":"Sand","isbn":"3"}]`},
	{"$..[?(@.isbn)].title", `["Sea","Sand"]`},
	{"$..[?(@ > 3)]", `[]`},
	{"$.books[?(@.isbn)].title", `["Sea","Sand"]`},
	{"$.books[?(!@.isbn)].title", `["Sky"]`},
	{"$.books[?(@.price > 10 && @.price <= 12)].title", `["Sky"]`},
	{"$.books[?(@.price < $.limit || @.title == 'Sand')].title", `["Sea","Sand"]`},
	{"$.books[?(@.price>$['limit'])].title", `["Sky","Sand"]`},
	{"$.books[?(@.stock == null)].title", `["Sky"]`},
	{"$.books[?(@.isbn != '1')].title", `["Sky","Sand"]`},
	{"$.books[?(@.isbn == 3)].title", `["Sand"]`},
	{"$.books[?(@.isbn === 3)].title", `[]`},
	{"$.books[?(@.isbn == 3.0)].title", `[]`},
	{"$.books[?(@.price == '12.0')].title", `["Sky"]`},
	{"$.books[?(@.none == @.nothing || @.none == null)]", `[]`},
	{"$.books[?(@.none != @.nothing && @.none !== 1)].price", `[8.95,12,22.99]`},
	{"$.books[?(@.stock)].title", `["Sky"]`},
	{"$.books[?(@.tags[?(@ == 'x')])].price", `[8.95,12,22.99]`},
	{"$.books[?(@.tags[?(@ == 'b')] empty false)].title", `["Sea","Sand"]`},
	{"$.books[?(@..isbn)].title", `["Sea","Sand"]`},
	{"$.books[?(@.title =~ /.*a.*/ && @.none =~ /x*/ && @.tags =~ /[bc]/)].title", `["Sea","Sand"]`},
	{`$.books[?(/\p{Upper}[\p{Lower}\h]+/ =~ @.title)].title`, `["Sea","Sky","Sand"]`},
	{`$.books[?(@.title =~ /\QSea\E|\u0053ky|a\/b/)].title`, `["Sea","Sky"]`},
	{"$.books[?(@.none nin ['a'])].price", `[8.95,12,22.99]`},
	{"$.books[?(@.title nin $.limit || @.isbn)].price", `[]`},
	{"$.books[?(@.title NIN ['Sea','Sky'])].price", `[22.99]`},
	{"$.matrix[?(@ == [1, 2])]", `[[1,2]]`},
	{"$[?(@.bicycle != {'a': {\"b\": []}})].limit", `[10]`},
	{"$.bicycle[?(@ size 5)]", `[]`},
	{"$.bicycle[?(@.color size 3)].color", `["red"]`},
	{"$.books[?(@.title =~ /s[ek].*/i)].title", `["Sea","Sky"]`},
	{"$.books[?(@.title =~ /k/)].title", `[]`},
	{"$.books[?(@.title in ['Sea', \"Sky\"])].price", `[8.95,12]`},
	{"$.books[?(@.title nin ['Sea'])].price", `[12,22.99]`},
	{"$.books[?('b' in @.tags)].title", `["Sea","Sand"]`},
	{"$.books[?(@.tags contains 'a')].title", `["Sea"]`},
	{"$.books[?(@.tags size 2)].title", `["Sea"]`},
	{"$.books[?(@.tags empty true)].title", `["Sky"]`},
	{"$.books[?(@.tags empty false)].title", `["Sea","Sand"]`},
	{"$.books[?(@.tags subsetof ['b','c'])].title", `["Sky","Sand"]`},
	{"$.books[?(@.tags anyof ['a','c'])].title", `["Sea"]`},
	{"$.books[?(@.tags noneof ['a','c'])].title", `["Sky","Sand"]`},
	{"$.books[?((@.price > 20 || @.price < 9) && @.isbn)].title", `["Sea","Sand"]`},
	{"$.books[?(@.tags.length() == 1)].title", `["Sand"]`},
	{"$.bicycle[?(@.color == 'red')].price", `[19.95]`},
	{"$.matrix[?(@[0] == 3)]", `[[3,4]]`},
	{"$.matrix[0][?(@ > 1)]", `[2]`},
	{"$.books.length()", "3"},
	{"$.bicycle.color.length()", "null"},
	{"$.bicycle.length()", "5"},
	{"$.limit.keys()", "null"},
	{"$.books[*].tags.length()", "[2,0,1]"},
	{"$..tags.length()", "3"},
	{"$..price.sum(1, $.matrix[0])", "67.89"},
	{"$.matrix[0].max()", "2.0"},
	{"$.matrix[0].sum()", "3.0"},
	{"$.matrix[1].avg()", "3.5"},
	{"$..price.max()", "22.99"},
	{"$..price.min()", "8.95"},
	{"$.matrix[0].stddev()", "0.5"},
	{"$.bicycle.keys()", `["color","price","a b","x.y","it's"]`},
	{"$.matrix[0].first()", "1"},
	{"$.matrix[0].last()", "2"},
	{"$.matrix[0].index(-2)", "1"},
	{"$.matrix[0].append(3, $.limit)", "[1,2,3,10]"},
	{"$..title.concat('!', 1, $.matrix[0])", `"SeaSkySand!12"`},
}

func TestGet(t *testing.T) {
	t.Parallel()
	root := value(t, store)
	before := jsonvalue.Text(root)
	for _, tt := range found {
		p, err := Parse(tt.path)
		if err != nil {
			t.Error(err)
			continue
		}
		v, err := p.Get(root)
		if err != nil || jsonvalue.Text(v) != tt.want {
			t.Errorf("%s gives %s, %v; want %s", tt.path, jsonvalue.Text(v), err, tt.want)
		}
		if p.String() != tt.path {
			t.Errorf("%s is written as %s", tt.path, p)
		}
	}
	if jsonvalue.Text(root) != before {
		t.Error("the data changed")
	}
}

func TestMissingIsWordedAsStepFunctionsDoes(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, want string }{
		{"$.nothing", "No results for path: $['nothing']"},
		{"$.no.such.path", "Missing property in path $['no']"},
		{"$.bicycle.no.such", "Missing property in path $['bicycle']['no']"},
		{"$.bicycle.no", "No results for path: $['bicycle']['no']"},
		{"$.books[9].title", "No results for path: $['books'][9]['title']"},
		{"$.none[*]", "Missing property in path $['none']"},
		{"$.limit.x", "Expected to find an object with property ['x'] in path $['limit'] but found 'number'."},
		{"$.limit[0]", "Filter: [0] can only be applied to arrays. Current context is: 10"},
		{"$$.nothing", "No results for path: $$['nothing']"},
		{"$.nothing.length()", "Missing property in path $['nothing']"},
		{"$.books[9].index(1)", "No results for path: $['books'][9].index(...)"},
	}
	root := value(t, store)
	for _, tt := range tests {
		p, err := Parse(tt.path)
		if err != nil {
			t.Error(err)
			continue
		}
		v, err := p.Get(root)
		var missing *MissingError
		if !errors.As(err, &missing) || missing.Detail != tt.want || missing.Path != tt.path {
			t.Errorf("%s gives %v, %v; want %s", tt.path, v, err, tt.want)
		}
	}
}

func TestFunctionsRefuseWhatTheyCannotUse(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"$.limit.first()", "$.limit[?(@ > 1)]", "$.books[*].price.min()", "$.empty.sum()", "$.empty.first()", "$.matrix[0].index('a')", "$.bicycle.max()", "$.matrix[0].append($.none)"} {
		p, err := Parse(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if v, err := p.Get(value(t, store)); err == nil {
			t.Errorf("%s gives %v", path, v)
		}
	}
}

func TestHeads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path, variable          string
		context, root, definite bool
	}{
		{"$", "", false, true, true}, {"$$", "", true, true, true}, {"$$.Execution.Id", "", true, false, true},
		{"$total", "total", false, true, true}, {"$my_var1.a[0]", "my_var1", false, false, true}, {"$.a[*]", "", false, false, false}, {"$..a.length()", "", false, false, true},
	}
	for _, tt := range tests {
		p, err := Parse(tt.path)
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Variable() != tt.variable || p.IsContext() != tt.context || p.IsRoot() != tt.root || p.IsDefinite() != tt.definite {
			t.Errorf("%s: variable %q, context %v, root %v, definite %v", tt.path, p.Variable(), p.IsContext(), p.IsRoot(), p.IsDefinite())
		}
	}
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		path   string
		offset int
		part   string
	}{
		{"", 0, "starts with"}, {"a.b", 0, "starts with"}, {"@.a", 0, "filter"}, {"$.", 2, "end"}, {"$..", 3, "end"}, {"$.a..", 5, "end"}, {"$a b", 2, "unexpected"},
		{"$.a b", 3, "brackets"}, {"$.a]", 3, "dot"}, {"$['a", 4, "closing"}, {"$['a'", 5, "']'"}, {"$[]", 2, "inside the brackets"}, {"$[a]", 2, "quoted name"},
		{"$['a',1]", 6, "quoted name"}, {"$[1,'a']", 4, "index"}, {"$[99999999999]", 2, "index"}, {"$[::2]", 5, "bound"}, {"$[:]", 3, "bound"}, {"$.a.nope()", 8, "no function"},
		{"$[?(@.a ==)]", 10, "expected"}, {"$[?(@.a]", 7, "dot"}, {"$[?(1)]", 5, "comparison"}, {"$[?(@.a =~ 'x')]", 14, "pattern"}, {"$[?(@.a =~ /(/)]", 11, "cannot be used"}, {"$[?(@.a =~ /[a&&b]/)]", 11, "intersection"},
		{"$[?(@.a =~ /[a[b]]/)]", 11, "class inside"}, {"$[?(@.a =~ /a(?=b)/)]", 11, "cannot be used"}, {"$[?(@.a =~ /a/x)]", 14, "flag 'x'"}, {"$[?({a:1} == @)]", 5, "quoted name"},
		{"$[?(@.a =~ /x)]", 11, "closing"}, {"$[?($$.a)]", 8, "@ and $"}, {"$.a.length().b", 12, "unexpected"}, {"$.a.index()", 11, "one number"}, {"$...a", 3, "name"},
		{"$[?(" + strings.Repeat("(", 100) + "@.a", 20, "nested"}, {"$[?(" + strings.Repeat("!", 100_000) + "@.a)]", 35, "nested"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.path)
		var e *SyntaxError
		if !errors.As(err, &e) || e.Offset != tt.offset || !strings.Contains(e.Msg, tt.part) {
			t.Errorf("%.60s: %v; want offset %d and %q", tt.path, err, tt.offset, tt.part)
		}
	}
}

func TestReferenceSet(t *testing.T) {
	t.Parallel()
	tests := []struct{ path, root, want string }{
		{"$", `{"a":1}`, `"new"`},
		{"$.b", `{"a":1}`, `{"a":1,"b":"new"}`},
		{"$.a", `{"a":1,"b":2}`, `{"a":"new","b":2}`},
		{"$.x.y['z w']", `{"a":1}`, `{"a":1,"x":{"y":{"z w":"new"}}}`},
		{"$.a[1]", `{"a":[1,2,3]}`, `{"a":[1,"new",3]}`},
		{"$.a[0].b", `{"a":[{"c":1}]}`, `{"a":[{"c":1,"b":"new"}]}`},
		{"$[0]", `[1]`, `["new"]`},
		{"$.a", `"text"`, ``},
		{"$.a", `null`, ``},
		{"$.a.b", `{"a":1}`, ``},
		{"$.a.b", `{"a":null}`, ``},
		{"$.a[1]", `{"a":[1]}`, ``},
		{"$.a[0]", `{}`, ``},
		{"$.a.b", `{"a":[]}`, ``},
	}
	for _, tt := range tests {
		r, err := ParseReference(tt.path)
		if err != nil {
			t.Error(err)
			continue
		}
		root := value(t, tt.root)
		before := jsonvalue.Text(root)
		v, err := r.Set(root, "new")
		if tt.want == "" {
			var match *MatchError
			if !errors.As(err, &match) || match.Path != tt.path {
				t.Errorf("%s in %s: %v, %v", tt.path, tt.root, v, err)
			}
		} else if err != nil || jsonvalue.Text(v) != tt.want {
			t.Errorf("%s in %s gives %s, %v; want %s", tt.path, tt.root, jsonvalue.Text(v), err, tt.want)
		} else if back, err := r.Get(v); err != nil || back != "new" {
			t.Errorf("%s in %s: read back %v, %v", tt.path, tt.root, back, err)
		}
		if jsonvalue.Text(root) != before {
			t.Errorf("%s changed its root to %s", tt.path, jsonvalue.Text(root))
		}
	}
}

func TestReferencePathsNameOnePlace(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"$..a", "$.a[*]", "$.a[0,1]", "$.a[1:2]", "$.a[?(@.b)]", "$['a','b']", "$.a.length()", "$$.a", "$v.a", "$.a[-1]", "a", "$."} {
		if _, err := ParseReference(path); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
}

func TestVisitsAreBounded(t *testing.T) {
	t.Parallel()
	p, err := Parse("$" + strings.Repeat("..*", 12))
	if err != nil {
		t.Fatal(err)
	}
	deep := value(t, strings.Repeat("[", 60)+strings.Repeat("]", 60))
	var e *EvalError
	if _, err := p.Get(deep); !errors.As(err, &e) || !strings.Contains(e.Detail, "visits more") {
		t.Errorf("no limit: %v", err)
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$.a[0]['b','c'][?(@.x =~ /a/i && !(@.y in [1,'2']))]..z.length()", "$$.a[1:2:3]", "$v", "$[-1,2].*", "$..", "$[?(@",
		`$..[?(@.price NIN [{'a': 1}] || /\p{Alpha}\h?/d =~ @.tags)]['title','isbn']`, "$..tags.length()", "$.books[-2:3:1].tags.append($..price.max())"} {
		f.Add(seed, store)
	}
	for _, c := range found {
		f.Add(c.path, store)
	}
	f.Fuzz(func(t *testing.T, path, data string) {
		p, err := Parse(path)
		if err != nil || len(data) > 4096 || strings.Count(path, "..") > 2 {
			return
		}
		root, err := jsonvalue.ParseString(data)
		if err != nil {
			return
		}
		before := jsonvalue.Text(root)
		v, err := p.Get(root)
		if err == nil && !p.IsDefinite() {
			if _, list := v.([]any); !list {
				t.Errorf("%s is indefinite and gives %T", path, v)
			}
		}
		if r, err := ParseReference(path); err == nil {
			if changed, err := r.Set(root, true); err == nil {
				if back, err := r.Get(changed); err != nil || back != true {
					t.Errorf("%s: read back %v, %v", path, back, err)
				}
			}
		}
		if jsonvalue.Text(root) != before {
			t.Errorf("%s changed the data", path)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	root := value(b, store)
	for _, path := range []string{"$.bicycle.color", "$.books[?(@.price < 10)].title"} {
		p, err := Parse(path)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Get(root); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func Example() {
	root, _ := jsonvalue.ParseString(`{"orders":[{"id":"a","total":5},{"id":"b","total":200}]}`)
	p, _ := Parse("$.orders[?(@.total > 100)].id")
	ids, _ := p.Get(root)
	r, _ := ParseReference("$.large.ids")
	root, _ = r.Set(root, ids)
	fmt.Println(jsonvalue.Text(root))
	// Output: {"orders":[{"id":"a","total":5},{"id":"b","total":200}],"large":{"ids":["b"]}}
}
