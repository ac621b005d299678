//go:build weft_aws

package hosted

import (
	"context"

	"github.com/weftworks/weft/fault"
)

// What is built for AWS alone is half as large, which a function pays for with each cold start.

func (f *Function) openFirestore(context.Context) error {
	return fault.New("hosted.Open", fault.Unsupported, "WEFT_COLLECTION", "this runtime was built for AWS, without Firestore; build it without the tag weft_aws")
}

func (f *Function) openTasks(context.Context) error {
	return fault.New("hosted.Open", fault.Unsupported, "WEFT_TASKS", "this runtime was built for AWS, without Cloud Tasks; build it without the tag weft_aws")
}
