// Package gcp runs workflows without an orchestrator on Google Cloud: functions are Cloud Run functions (or anything else that
// answers HTTP), requests reach them by Cloud Tasks, whose scheduled times are the delays of waits and retries.
//
//	client, err := cloudtasks.NewClient(ctx)
//	platform, err := gcp.New(client, gcp.Config{
//		Queue:          "projects/P/locations/us-central1/queues/my-app",
//		Targets:        map[string]string{"resize": "https://us-central1-P.cloudfunctions.net/my-app-resize"},
//		ServiceAccount: "my-app@P.iam.gserviceaccount.com",
//	})
//
// In the function, in the style of the Functions Framework:
//
//	functions.HTTP("resize", (&gcp.Handler{Platform: platform, Handle: handle}).ServeHTTP)
//
// # Failures
//
// Cloud Tasks delivers a request again when the answer is not 2xx, and says in a header how often it has. It has no
// failure destinations, so the Handler gives up itself: when the last of Handler.Attempts executions returns an error, or
// when all of them have ended without an answer (a crash, a time-out), the request with Failure set takes its place, in
// the same delivery, which is repeated until that has been written down. The queue must therefore try more often than the
// Handler: deployment gives it no bound.
//
// What Retry and Catch see has the names that AWS Lambda's failures have, so that one state machine fits both: Lambda.Unknown
// for an error of the handler, with its words, Runtime.ExitError for an execution without an answer, Sandbox.Timedout for
// one that took too long, and Lambda.TooManyRequestsException where no instance of the function was to be had.
//
// # Pub/Sub
//
// A Handler also takes messages that a push subscription of Pub/Sub delivers, wrapped or as a CloudEvent (binary or
// structured) as Eventarc does. Without a dead-letter policy Pub/Sub does not say how often it has tried, and the Handler
// then never gives up.
package gcp
