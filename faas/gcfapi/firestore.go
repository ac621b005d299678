package gcfapi

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var (
	databaseID = regexp.MustCompile(`^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$`)
	fieldName  = regexp.MustCompile(`^(projects/[^/]+/databases/[^/]+)/collectionGroups/[^/]+/fields/[^/]+$`)
)

// firestoreService is the administration of Firestore. It knows nothing of documents.
type firestoreService struct {
	adminpb.UnimplementedFirestoreAdminServer
	server *Server
}

// CreateDatabase makes a database.
func (s *firestoreService) CreateDatabase(_ context.Context, req *adminpb.CreateDatabaseRequest) (*longrunningpb.Operation, error) {
	made := proto.CloneOf(req.GetDatabase())
	switch {
	case !databaseID.MatchString(req.GetDatabaseId()):
		return nil, invalid("database_id %q has 4 to 63 lower-case letters, digits and hyphens, or is (default).", req.GetDatabaseId())
	case made.GetLocationId() == "":
		return nil, invalid("location_id is required.")
	case made.GetType() == adminpb.Database_DATABASE_TYPE_UNSPECIFIED:
		return nil, invalid("type is required.")
	}
	made.Name = req.GetParent() + "/databases/" + req.GetDatabaseId()
	made.CreateTime = timestamppb.Now()
	if made.GetConcurrencyMode() == adminpb.Database_CONCURRENCY_MODE_UNSPECIFIED {
		made.ConcurrencyMode = adminpb.Database_PESSIMISTIC
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.databases[made.GetName()] != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Database already exists. Please use another database_id")
	}
	return s.server.begin(made.GetName(), made.GetName(), &adminpb.CreateDatabaseMetadata{}, func() (proto.Message, error) {
		s.server.databases[made.GetName()] = made
		return proto.CloneOf(made), nil
	})
}

// GetDatabase returns a database.
func (s *firestoreService) GetDatabase(_ context.Context, req *adminpb.GetDatabaseRequest) (*adminpb.Database, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	db := s.server.databases[req.GetName()]
	if db == nil {
		return nil, missing("Database", req.GetName())
	}
	return proto.CloneOf(db), nil
}

// DeleteDatabase removes a database that is not protected, and the settings of its fields.
func (s *firestoreService) DeleteDatabase(_ context.Context, req *adminpb.DeleteDatabaseRequest) (*longrunningpb.Operation, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	db := s.server.databases[req.GetName()]
	switch {
	case db == nil:
		return nil, missing("Database", req.GetName())
	case db.GetDeleteProtectionState() == adminpb.Database_DELETE_PROTECTION_ENABLED:
		return nil, status.Error(codes.FailedPrecondition, "Delete protection is enabled for this database.")
	}
	return s.server.begin(req.GetName(), req.GetName(), &adminpb.DeleteDatabaseMetadata{}, func() (proto.Message, error) {
		delete(s.server.databases, req.GetName())
		maps.DeleteFunc(s.server.fields, func(name string, _ *adminpb.Field) bool {
			return fieldName.FindStringSubmatch(name)[1] == req.GetName()
		})
		return proto.CloneOf(db), nil
	})
}

// field returns the settings of a field; s.mu is held. Those of which nothing was set are as the database has them.
func (s *Server) field(name string) (*adminpb.Field, error) {
	m := fieldName.FindStringSubmatch(name)
	switch {
	case m == nil:
		return nil, invalid("Field name %q is not projects/P/databases/D/collectionGroups/C/fields/F.", name)
	case s.databases[m[1]] == nil:
		return nil, missing("Database", m[1])
	case s.fields[name] != nil:
		return s.fields[name], nil
	}
	return &adminpb.Field{Name: name, IndexConfig: &adminpb.Field_IndexConfig{
		UsesAncestorConfig: true, AncestorField: m[1] + "/collectionGroups/__default__/fields/*",
	}}, nil
}

// GetField returns how a field is indexed, and whether it is a time to live.
func (s *firestoreService) GetField(_ context.Context, req *adminpb.GetFieldRequest) (*adminpb.Field, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	f, err := s.server.field(req.GetName())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(f), nil
}

// UpdateField changes how a field is indexed, and whether it is a time to live. What the mask names and the field lacks is
// taken back.
func (s *firestoreService) UpdateField(_ context.Context, req *adminpb.UpdateFieldRequest) (*longrunningpb.Operation, error) {
	name := req.GetField().GetName()
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	cur, err := s.server.field(name)
	if err != nil {
		return nil, err
	}
	next := proto.CloneOf(cur)
	paths := req.GetUpdateMask().GetPaths()
	all := len(paths) == 0
	if all || slices.Contains(paths, "index_config") {
		if next.IndexConfig = proto.CloneOf(req.GetField().GetIndexConfig()); next.IndexConfig == nil {
			next.IndexConfig = &adminpb.Field_IndexConfig{UsesAncestorConfig: true}
		}
	}
	if all || slices.Contains(paths, "ttl_config") {
		if next.TtlConfig = proto.CloneOf(req.GetField().GetTtlConfig()); next.TtlConfig != nil {
			next.TtlConfig.State = adminpb.Field_TtlConfig_ACTIVE
		}
	}
	op, err := s.server.begin(fieldName.FindStringSubmatch(name)[1], name, &adminpb.FieldOperationMetadata{Field: name}, func() (proto.Message, error) {
		s.server.fields[name] = next
		return proto.CloneOf(next), nil
	})
	if err == nil && !op.GetDone() && cur.GetTtlConfig() == nil && next.GetTtlConfig() != nil {
		creating := proto.CloneOf(cur)
		creating.TtlConfig = &adminpb.Field_TtlConfig{State: adminpb.Field_TtlConfig_CREATING}
		s.server.fields[name] = creating
	}
	return op, err
}

// ListFields returns the fields of a collection group of which something was set, on one page.
func (s *firestoreService) ListFields(_ context.Context, req *adminpb.ListFieldsRequest) (*adminpb.ListFieldsResponse, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	out := &adminpb.ListFieldsResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.server.fields)) {
		if above(name) == req.GetParent() {
			out.Fields = append(out.Fields, proto.CloneOf(s.server.fields[name]))
		}
	}
	return out, nil
}
