// Package cloudtasksapi is a local Cloud Tasks endpoint: the published gRPC API (google.cloud.tasks.v2) over queues in
// memory, which dispatch their tasks over HTTP, for development and tests. Unmodified clients talk to it over a
// connection without TLS:
//
//	server, err := cloudtasksapi.Start(cloudtasksapi.Config{})
//	defer server.Close()
//	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
//	client, err := cloudtasks.NewClient(ctx, option.WithGRPCConn(conn))
//
// A task is dispatched at its time, at least once, and again with growing pauses until the target answers 2xx or the
// queue's limits of retries are reached, upon which it is gone. Requests have the headers that Cloud Tasks sets.
//
// docs/local-cloudtasks.md says what the endpoint lacks.
package cloudtasksapi
