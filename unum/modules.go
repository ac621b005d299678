package unum

// These modules are required before the packages that use them have landed.
import (
	_ "cloud.google.com/go/cloudtasks/apiv2"
	_ "cloud.google.com/go/firestore"
	_ "cloud.google.com/go/functions/apiv2"
	_ "github.com/aws/aws-sdk-go-v2/service/iam"
	_ "github.com/aws/aws-sdk-go-v2/service/lambda"
	_ "google.golang.org/grpc"
)
