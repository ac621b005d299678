// Package gcfapi is as much of Google Cloud as the deployment of an application needs, in memory and on one port each for gRPC and
// HTTP, for development and tests of deployments: Cloud Functions v2 with uploads of sources and long-running operations,
// Firestore's administration (databases, time to live, exemptions of fields), service accounts and IAM policies.
// Unmodified clients talk to it over connections without TLS:
//
//	server, err := gcfapi.Start(gcfapi.Config{})
//	defer server.Close()
//	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
//	functions, err := functions.NewFunctionClient(ctx, option.WithGRPCConn(conn))    // cloud.google.com/go/functions/apiv2
//	firestore, err := admin.NewFirestoreAdminClient(ctx, option.WithGRPCConn(conn)) // cloud.google.com/go/firestore/apiv1/admin
//	accounts, err := iam.NewIamClient(ctx, option.WithGRPCConn(conn))               // cloud.google.com/go/iam/admin/apiv1
//	projects, err := cloudresourcemanager.NewService(ctx, option.WithEndpoint(server.URL()), option.WithoutAuthentication())
//
// Functions run if Config.Serve has them run. docs/local-gcf.md says what the endpoint lacks. Cloud Tasks is in
// faas/cloudtasksapi, Firestore's documents are in faas/firestoreapi.
package gcfapi
