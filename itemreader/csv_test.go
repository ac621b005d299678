package itemreader

import (
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	src := Source{Format: CSV}
	given := func(names ...string) Source { return Source{Format: CSV, Headers: Given, GivenHeaders: names} }
	long := strings.Repeat("x", 2*bufferBytes)
	run(t, []readerCase{
		{"first row", "b,a\n1,2\n3,4\n", src, []string{`{"b":"1","a":"2"}`, `{"b":"3","a":"4"}`}, ""},
		{"given", "1,2\n3,4", given("b", "a"), []string{`{"b":"1","a":"2"}`, `{"b":"3","a":"4"}`}, ""},
		{"byte order mark", "\ufeffa\n1\n", src, []string{`{"a":"1"}`}, ""},
		{"fields too many and too few", "a,\n1,2,3\n,,,\n4\n   \n", src, []string{`{"a":"1","":"2"}`, `{"a":"","":""}`, `{"a":"4","":""}`, `{"a":"   ","":""}`}, ""},
		{"empty lines", "\n\r\na\n\n1\r\n\r\n2\r3", src, []string{`{"a":"1"}`, `{"a":"2"}`, `{"a":"3"}`}, ""},
		{"quotes", "a,b\n\"1,\"\"2\n3\",'4'\n\"\",x\"y\"\n", src, []string{`{"a":"1,\"2\n3","b":"'4'"}`, `{"a":"","b":"x\"y\""}`}, ""},
		{"quote and more", "a\n\"1\"2\n", src, []string{`{"a":"12"}`}, ""},
		{"spaces stay", "a , b\n 1 ,2 \n", src, []string{`{"a ":" 1 "," b":"2 "}`}, ""},
		{"no UTF-8", "a\n\xff\n", src, []string{"{\"a\":\"\ufffd\"}"}, ""},
		{"pipe", "a|b\n1|2,3\n", Source{Format: CSV, Delimiter: Pipe}, []string{`{"a":"1","b":"2,3"}`}, ""},
		{"tab", "a\tb\n1\t2 3\n", Source{Format: CSV, Delimiter: Tab}, []string{`{"a":"1","b":"2 3"}`}, ""},
		{"space", "a b\n1 2\n", Source{Format: CSV, Delimiter: Space}, []string{`{"a":"1","b":"2"}`}, ""},
		{"semicolon", "a;b\n1;2\n", Source{Format: CSV, Delimiter: Semicolon}, []string{`{"a":"1","b":"2"}`}, ""},
		{"no such delimiter", "a\n", Source{Format: CSV, Delimiter: "COLON"}, nil, "There is no CSVDelimiter COLON."},
		{"nothing", "", src, nil, ""},
		{"headers alone", "a,b", src, nil, ""},
		{"duplicates", "a,b,a\n1,2,3\n", src, nil, "CSV headers cannot contain duplicates."},
		{"given duplicates", "1,2\n", given("a", "a"), nil, "CSV headers cannot contain duplicates."},
		{"open quote", "a\n1\n\"2\n", src, []string{`{"a":"1"}`}, "The CSV ends within quotes."},
		{"longer than a buffer", "a,b\n" + long + ",\"" + long + "\"\n", src, []string{`{"a":"` + long + `","b":"` + long + `"}`}, ""},
		{"large", "a\n1\n0123456789\n", Source{Format: CSV, ItemBytes: 10}, []string{`{"a":"1"}`}, "The item has more than 10 bytes."},
		{"large with its columns", "a,b,c\n\n\n,,\n", Source{Format: CSV, ItemBytes: 10}, nil, "The item has more than 10 bytes."},
		{"maximum", "a\n1\n2\n3\n", Source{Format: CSV, MaxItems: 2}, []string{`{"a":"1"}`, `{"a":"2"}`}, ""},
	})
}
