package gcp

import (
	"context"

	firestore "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

func databaseAttrs(name string) deploy.Attrs {
	parent, id := split(name)
	_, project := split(parent)
	return deploy.Attrs{"name": name, "id": id, "project": project}
}

// field is the full name of a field of a collection; "*" is all that nothing is said of.
func field(database, collection, name string) string {
	return database + "/collectionGroups/" + collection + "/fields/" + name
}

// readDatabase reads a database. It has no labels that would tell whose it is: only the deployment's file does.
func (t *Target) readDatabase(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	spec := r.Spec.(*Database)
	db, err := t.Firestore.GetDatabase(ctx, &adminpb.GetDatabaseRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	ttl, err := t.Firestore.GetField(ctx, &adminpb.GetFieldRequest{Name: field(r.Name, spec.Collection, spec.TTL)})
	if err != nil {
		return nil, err
	}
	all, err := t.Firestore.GetField(ctx, &adminpb.GetFieldRequest{Name: field(r.Name, spec.Collection, "*")})
	if err != nil {
		return nil, err
	}
	is := &Database{Location: db.GetLocationId(), Collection: spec.Collection}
	switch ttl.GetTtlConfig().GetState() {
	case adminpb.Field_TtlConfig_CREATING, adminpb.Field_TtlConfig_ACTIVE:
		is.TTL = spec.TTL
	}
	is.Indexed = all.GetIndexConfig().GetUsesAncestorConfig() || len(all.GetIndexConfig().GetIndexes()) > 0
	return &deploy.Observed{Spec: is, Attrs: databaseAttrs(r.Name), Foreign: true}, nil
}

func (t *Target) createDatabase(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Database)
	parent, id := split(r.Name)
	err := t.begin(ctx, func() error {
		op, err := t.Firestore.CreateDatabase(ctx, &adminpb.CreateDatabaseRequest{
			Parent: parent, DatabaseId: id,
			Database: &adminpb.Database{LocationId: spec.Location, Type: adminpb.Database_FIRESTORE_NATIVE},
		})
		if err != nil {
			return err
		}
		return t.until(ctx, "the database", func() (bool, error) {
			_, err := op.Poll(ctx)
			return op.Done(), err
		})
	})
	if err != nil {
		return nil, err
	}
	return databaseAttrs(r.Name), t.configure(ctx, r.Name, spec, &Database{Indexed: true})
}

// configure sets what is otherwise than it is wanted. A time to live takes Firestore many minutes, in which records can be
// written already, so nobody waits for it.
func (t *Target) configure(ctx context.Context, name string, spec, is *Database) error {
	if is.TTL != spec.TTL {
		f := &adminpb.Field{Name: field(name, spec.Collection, spec.TTL), TtlConfig: &adminpb.Field_TtlConfig{}}
		if _, err := t.updateField(ctx, f, "ttl_config"); err != nil {
			return err
		}
	}
	if is.Indexed == spec.Indexed {
		return nil
	}
	op, err := t.updateField(ctx, &adminpb.Field{Name: field(name, spec.Collection, "*"), IndexConfig: &adminpb.Field_IndexConfig{}}, "index_config")
	if err != nil {
		return err
	}
	return t.until(ctx, "the end of its indexes", func() (bool, error) {
		_, err := op.Poll(ctx)
		return op.Done(), err
	})
}

func (t *Target) updateField(ctx context.Context, f *adminpb.Field, path string) (op *firestore.UpdateFieldOperation, err error) {
	err = t.begin(ctx, func() error {
		op, err = t.Firestore.UpdateField(ctx, &adminpb.UpdateFieldRequest{Field: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
		return err
	})
	return op, err
}

func (t *Target) updateDatabase(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec, is := r.Spec.(*Database), was.Spec.(*Database)
	if is.Location != spec.Location {
		return nil, fault.New("gcp.update", fault.Conflict, r.Name, "the database is in %s, and databases do not move: give the deployment another --name", is.Location)
	}
	return was.Attrs, t.configure(ctx, r.Name, spec, is)
}

func (t *Target) deleteDatabase(ctx context.Context, o *deploy.Owned) error {
	return t.begin(ctx, func() error {
		op, err := t.Firestore.DeleteDatabase(ctx, &adminpb.DeleteDatabaseRequest{Name: o.Name})
		if err != nil {
			return err
		}
		return t.until(ctx, "the end of the database", func() (bool, error) {
			_, err := op.Poll(ctx)
			return op.Done(), err
		})
	})
}
