package cost

import (
	"slices"
	"strings"

	"github.com/weftworks/weft/fault"
)

// Item is something that a cloud charges for.
type Item struct {
	Name       string // of the service and what it counts
	PerMillion float64
	count      func(u *Usage) float64
}

// Book is what a cloud charges in a region from a day on.
type Book struct {
	Cloud  string // "aws", "gcp"
	Region string
	From   string // the day, 2006-01-02
	Source string
	Items  []Item
	// Transition is a Standard workflow's price for a million state transitions, in the same region or the nearest; Express
	// are what a million requests, and a million GB-seconds of an Express workflow are.
	Transition, ExpressRequest, ExpressGBSecond float64
}

// million makes a price for a million out of one for one.
const million = 1e6

// lambda are the prices of Lambda. The duration is that of arm64 or x86_64.
func lambda(requests, gbSecond float64) []Item {
	return []Item{
		{"Lambda: requests", requests, func(u *Usage) float64 { return float64(max(u.Executions, u.InvokeUnits)) }},
		{"Lambda: GB-seconds", gbSecond * million, func(u *Usage) float64 { return u.GBSeconds }},
	}
}

// dynamodb are the prices of tables on demand. Reads are strongly consistent: a unit for 4 KB; writes a unit for 1 KB.
func dynamodb(read, write float64) []Item {
	return []Item{
		{"DynamoDB: read units", read, func(u *Usage) float64 { return float64(u.ReadUnits) }},
		{"DynamoDB: write units of writes", write, func(u *Usage) float64 { return float64(u.WriteUnits) }},
		{"DynamoDB: write units of deletes", write, func(u *Usage) float64 { return float64(u.DeleteUnits) }},
	}
}

// queueRequests are what a delayed invocation asks of a queue: to send, to receive and to delete the message.
const queueRequests = 3

func sqs(request float64) Item {
	return Item{"SQS: requests", request, func(u *Usage) float64 { return float64(queueRequests * u.DelayedChunks) }}
}

func aws(region, from string, gbSecond, read, write, transition float64) Book {
	b := Book{
		Cloud: "aws", Region: region, From: from,
		Source:     "aws.amazon.com: pricing of Lambda (arm64), DynamoDB (on demand), SQS (standard), Step Functions",
		Items:      slices.Concat(lambda(0.20, gbSecond), dynamodb(read, write), []Item{sqs(0.40)}),
		Transition: transition, ExpressRequest: 1.00, ExpressGBSecond: 16.67,
	}
	return b
}

// Prices of Lambda for a GB-second.
const (
	arm = 0.0000133334
	x86 = 0.0000166667
)

// Books are all that is known, the newest of a region first.
var Books = []Book{
	aws("us-east-1", "2024-11-01", arm, 0.125, 0.625, 25.0),
	aws("us-east-1", "2022-01-01", x86, 0.25, 1.25, 25.0),
	// In us-west-1 the paper was measured, whose figures for DynamoDB these are; half of them since November 2024.
	aws("us-west-1", "2024-11-01", arm, 0.1395, 0.6975, 27.9),
	aws("us-west-1", "2022-01-01", x86, 0.279, 1.395, 27.9),
	{
		Cloud: "gcp", Region: "us-central1", From: "2024-11-01",
		Source: "cloud.google.com: pricing of Cloud Run functions (1 vCPU at 2 GiB, by memory), Firestore, Cloud Tasks",
		Items: []Item{
			{"Functions: requests", 0.40, func(u *Usage) float64 { return float64(u.Executions) }},
			{"Functions: GB-seconds", (0.0000025 + 0.000024/2) * million, func(u *Usage) float64 { return u.GBSeconds100 }},
			{"Firestore: reads", 0.30, func(u *Usage) float64 { return float64(u.DocReads) }},
			{"Firestore: writes", 0.90, func(u *Usage) float64 { return float64(u.DocWrites) }},
			{"Firestore: deletes", 0.10, func(u *Usage) float64 { return float64(u.DocDeletes) }},
			// A task is created, and delivered.
			{"Cloud Tasks: operations", 0.40, func(u *Usage) float64 { return float64(2 * u.TaskChunks) }},
		},
		Transition: 25.0, ExpressRequest: 1.00, ExpressGBSecond: 16.67,
	},
}

// Find returns the newest book of a cloud and a region that is in force at a day (2006-01-02; "": the newest). region "": the
// first there is.
func Find(cloud, region, day string) (*Book, error) {
	var known []string
	for i := range Books {
		b := &Books[i]
		if b.Cloud == cloud && (region == "" || b.Region == region) && (day == "" || b.From <= day) {
			return b, nil
		}
		known = append(known, b.Cloud+" "+b.Region+" from "+b.From)
	}
	return nil, fault.New("cost.find", fault.ResourceNotFound, strings.TrimSpace(cloud+" "+region+" "+day), "there are no such prices; known are: %s", strings.Join(known, ", "))
}
