package firestoreapi

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Limits of names, Firestore's own.
const (
	idBytes  = 1500
	nameDeep = 100 // collections on the way to a document
)

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

// splitName cuts a resource name into the database (projects/P/databases/D) and the path below its documents.
func splitName(name string) (database string, path []string, err error) {
	parts := strings.Split(name, "/")
	if len(parts) < 5 || parts[0] != "projects" || parts[2] != "databases" || parts[4] != "documents" || parts[1] == "" || parts[3] == "" {
		return "", nil, invalid("Document name %q lacks \"projects/{project}/databases/{database}/documents\" at its beginning.", name)
	}
	for _, id := range parts[5:] {
		if err := checkID(id, name); err != nil {
			return "", nil, err
		}
	}
	return strings.Join(parts[:4], "/"), parts[5:], nil
}

func checkID(id, name string) error {
	switch {
	case id == "":
		return invalid("Document name %q contains an empty segment.", name)
	case len(id) > idBytes:
		return invalid("The key path element name is longer than %d bytes.", idBytes)
	case id == "." || id == "..":
		return invalid("Resource id %q is invalid because it is a dot.", id)
	case len(id) >= 4 && strings.HasPrefix(id, "__") && strings.HasSuffix(id, "__"):
		return invalid("Resource id %q is invalid because it is reserved.", id)
	case !utf8.ValidString(id):
		return invalid("Resource id %q is not valid UTF-8.", id)
	}
	return nil
}

// checkDocument wants the name of a document of a database; "" is any.
func checkDocument(name, database string) error {
	db, path, err := splitName(name)
	switch {
	case err != nil:
		return err
	case len(path) == 0 || len(path)%2 != 0:
		return invalid("Document name %q has an odd number of segments below \"documents\": it names a collection.", name)
	case len(path) > 2*nameDeep:
		return invalid("Document name %q is nested more than %d collections deep.", name, nameDeep)
	case database != "" && db != database:
		return invalid("Document %q does not belong to database %q.", name, database)
	}
	return nil
}

// checkParent wants the name of a document, or of the root of a database's documents.
func checkParent(name string) error {
	_, path, err := splitName(name)
	if err == nil && len(path)%2 != 0 {
		err = invalid("Parent %q names a collection, not a document.", name)
	}
	return err
}

// cut splits the name of a document into its collection's and its id.
func cut(name string) (collection, id string) {
	i := strings.LastIndexByte(name, '/')
	return name[:i], name[i+1:]
}

// parsePath splits the path of a field: segments between dots, in backquotes where they are not simple.
func parsePath(path string) (segments []string, err error) {
	rest := path
	for {
		var segment string
		if strings.HasPrefix(rest, "`") {
			segment, rest, err = quoted(rest, path)
		} else {
			segment, rest = plain(rest)
		}
		if err != nil || segment == "" {
			return nil, invalid("Invalid property path %q.", path)
		}
		segments = append(segments, segment)
		if rest == "" {
			return segments, nil
		}
		if rest[0] != '.' {
			return nil, invalid("Invalid property path %q.", path)
		}
		rest = rest[1:]
	}
}

func plain(rest string) (segment, after string) {
	if i := strings.IndexAny(rest, ".`"); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

func quoted(rest, path string) (segment, after string, err error) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			if i++; i < len(rest) {
				b.WriteByte(rest[i])
			}
		case '`':
			return b.String(), rest[i+1:], nil
		default:
			b.WriteByte(rest[i])
		}
	}
	return "", "", invalid("Property path %q lacks a closing backquote.", path)
}
