//go:build !weft_aws

package hosted

import (
	"context"
	"net/http"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/firestore"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/gcp"
	firestorestore "github.com/weftworks/weft/unum/store/firestore"
)

func (f *Function) openFirestore(ctx context.Context) error {
	client, err := firestore.NewClient(ctx, f.Settings.Project)
	if err != nil {
		return fault.New("hosted.Open", fault.Unavailable, "Firestore", "%w", err)
	}
	f.closers = append(f.closers, client)
	f.Runtime.Store = firestorestore.New(client, f.Settings.Collection)
	return nil
}

func (f *Function) openTasks(ctx context.Context) error {
	client, err := cloudtasks.NewClient(ctx)
	if err != nil {
		return fault.New("hosted.Open", fault.Unavailable, "Cloud Tasks", "%w", err)
	}
	f.closers = append(f.closers, client)
	p, err := gcp.New(client, gcp.Config{
		Queue: f.Settings.Tasks, Targets: f.Settings.Targets, ServiceAccount: f.Settings.ServiceAccount, Deadline: f.Settings.Timeout,
	})
	if err != nil {
		return err
	}
	f.Runtime.Platform = p
	f.requests = func(handle func(ctx context.Context, payload []byte) error) http.Handler {
		return &gcp.Handler{Platform: p, Handle: handle}
	}
	return nil
}
