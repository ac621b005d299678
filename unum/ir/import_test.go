package ir

import (
	"os"
	"strings"
	"testing"
)

// legacy makes files of a text whose lines "=== name" begin each.
func legacy(text string) (files []File) {
	for part := range strings.SplitSeq(text, "=== ") {
		if name, body, ok := strings.Cut(part, "\n"); ok && name != "" {
			files = append(files, File{strings.TrimSpace(name), []byte(body)})
		}
	}
	return files
}

// TestImport has in each section of testdata/import.txt files of an app in an older dialect, and behind "--" what they are here.
func TestImport(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/import.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rewritten []string
	for section := range strings.SplitSeq(string(text), "\n#### ") {
		title, rest, _ := strings.Cut(section, "\n")
		files, want, _ := strings.Cut(rest, "--\n")
		got := imported(files)
		rewritten = append(rewritten, title+"\n"+files+"--\n"+got)
		if strings.TrimSpace(got) != strings.TrimSpace(want) && !*rewrite {
			t.Errorf("%s:\n got %s\nwant %s", title, got, want)
		}
	}
	if *rewrite {
		if err := os.WriteFile("testdata/import.txt", []byte(strings.Join(rewritten, "\n#### ")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func imported(files string) string {
	a, notes, err := Import(legacy(files))
	if err != nil {
		return err.Error() + "\n"
	}
	text := ""
	for _, n := range notes {
		text += "# " + n.String() + "\n"
	}
	if err := a.Validate().Err(); err != nil {
		text += err.Error() + "\n"
	}
	return text + string(a.YAML())
}

// TestImportedExCamera holds that the graph which ran is the one of testdata/excamera.yaml.
func TestImportedExCamera(t *testing.T) {
	t.Parallel()
	ours, err := Parse(load(t, "excamera.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/import.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "ExCamera as it ran\n")
	section, _, _ = strings.Cut(section, "--\n")
	theirs, _, err := Import(legacy(section))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range ours.Functions[1:] {
		g := theirs.Function(f.Name)
		for i := range f.Next {
			a, b := f.Next[i], g.Next[i]
			if a.If, b.If = nil, nil; a.String() != b.String() { // guards are written in another order
				t.Errorf("%s, next[%d]: ours is %s, theirs %s", f.Name, i, &a, &b)
			}
		}
	}
}

func FuzzImport(f *testing.F) {
	text, err := os.ReadFile("testdata/import.txt")
	if err != nil {
		f.Fatal(err)
	}
	for section := range strings.SplitSeq(string(text), "\n#### ") {
		f.Add(section)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, _, err := Import(legacy(text))
		if err == nil {
			a.Validate()
			_ = a.YAML()
		}
	})
}
