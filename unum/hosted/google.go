//go:build !weft_aws

package hosted

import (
	"context"
	"net/http"
	"os"

	"cloud.google.com/go/firestore"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/gcp"
	firestorestore "github.com/weftworks/weft/unum/store/firestore"
)

func (f *Function) openFirestore(ctx context.Context) error {
	client, err := firestore.NewClientWithDatabase(ctx, f.Settings.Project, f.Settings.Database)
	if err != nil {
		return fault.New("hosted.Open", fault.Unavailable, "Firestore", "%w", err)
	}
	f.closers = append(f.closers, client)
	f.Runtime.Store = firestorestore.New(client, f.Settings.Collection)
	return nil
}

func (f *Function) openTasks(ctx context.Context) error {
	client, err := gcp.Dial(ctx, os.Getenv)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, client)
	p, err := gcp.New(client, gcp.Config{
		Queue: f.Settings.Tasks, Targets: f.Settings.Targets, ServiceAccount: f.Settings.ServiceAccount, Deadline: gcp.AnswerTime,
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
