package dir

import (
	"strings"
	"unicode/utf8"
)

// A key is a path: its parts between slashes are the names of directories and, at last, of a file. What a name cannot be
// is escaped, so that every key has one path and every such path one key:
//
//	%25, %5C, %00   '%', '\' and the byte 0
//	%               a part that is empty, as the last of "folder/"
//	%2E             a '.' with which a name begins that would be ".", ".." or an upload's
//	NAME%-          a directory: the part goes on in the next name, as it is too long for one
//
// All else stands as it is, so files that a person puts there have the keys that person expects.
const (
	nameBytes = 240 // of a name that goes on, "%-" not counted; file systems take 255
	empty     = "%"
	goesOn    = "%-"
	uploading = ".put-"
)

// pathOf returns the path of a key, slash-separated.
func pathOf(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		parts[i] = escape(part)
	}
	return strings.Join(parts, "/")
}

var escapes = strings.NewReplacer("%", "%25", `\`, "%5C", "\x00", "%00")

// escape returns the name, or the names, of one part of a key.
func escape(part string) string {
	if part == "" {
		return empty
	}
	var names []string
	name := ""
	for i := 0; i < len(part); {
		_, n := utf8.DecodeRuneInString(part[i:])
		text := escapes.Replace(part[i : i+n])
		if len(name)+len(text) > nameBytes {
			names = append(names, undotted(name)+goesOn)
			name = ""
		}
		name += text
		i += n
	}
	return strings.Join(append(names, undotted(name)), "/")
}

// undotted escapes the first byte of a name that would have a meaning of its own.
func undotted(name string) string {
	if name == "." || name == ".." || strings.HasPrefix(name, uploading) {
		return "%2E" + name[1:]
	}
	return name
}

var unescapes = strings.NewReplacer("%25", "%", "%5C", `\`, "%00", "\x00", "%2E", ".")

// unescape returns the part of a key that the names of a path stand for, and whether it goes on below. Names that nothing
// is escaped to give a part that is escaped to other names.
func unescape(names string) (part string, more bool) {
	names, more = strings.CutSuffix(names, goesOn)
	names = strings.ReplaceAll(names, goesOn+"/", "")
	if names == empty {
		return "", more
	}
	return unescapes.Replace(names), more
}
