package awssdk

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/integration"
)

// dynalite starts a server with DynamoDB's API and returns its URL. It lives as long as the test.
func dynalite(t *testing.T) string {
	t.Helper()
	program := filepath.Join("testdata", "dynalite", "node_modules", "dynalite", "cli.js")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: install Node.js 20 or later and run make tools", err)
		}
		t.Skipf("DynamoDB is not tested against a server (%v): install Node.js 20 or later and run make tools", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close() // nobody else takes it at once
	var output strings.Builder
	cmd := exec.Command(node, program, "--host", host, "--port", port, "--createTableMs", "0")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for range 600 {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), time.Second); err == nil {
			_ = c.Close()
			return "http://" + net.JoinHostPort(host, port)
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("dynalite: %v\n%s", err, output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("dynalite does not listen")
	return ""
}

func TestDynamoDB(t *testing.T) {
	t.Parallel()
	set := integration.NewSet()
	if err := Register(set, Config{Region: "us-east-1", Endpoints: map[string]string{"dynamodb": dynalite(t)}}); err != nil {
		t.Fatal(err)
	}
	const item = `{"id":{"S":"1"},"n":{"N":"1.50"},"b":{"B":"aGk="},"yes":{"BOOL":true},"none":{"NULL":true},"l":{"L":[{"S":"x"},{"N":"2"}]},` +
		`"m":{"M":{"k":{"S":"v"}}},"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"bs":{"BS":["aGk="]}}`
	const sorted = `{"b":{"B":"aGk="},"bs":{"BS":["aGk="]},"id":{"S":"1"},"l":{"L":[{"S":"x"},{"N":"2"}]},"m":{"M":{"k":{"S":"v"}}},` +
		`"n":{"N":"1.5"},"none":{"NULL":true},"ns":{"NS":["1","2"]},"ss":{"SS":["a","b"]},"yes":{"BOOL":true}}`
	const meta = `,"SdkHttpMetadata":{*"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"*"}}`
	for _, tc := range []struct{ name, arguments, want string }{
		{"aws-sdk:dynamodb:createTable", `{"TableName":"tab","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],` +
			`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`, `{"TableDescription":{"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],*"TableName":"tab"*`},
		{"aws-sdk:dynamodb:listTables", `{}`, `{"TableNames":["tab"]}`},
		{"dynamodb:putItem", `{"TableName":"tab","Item":` + item + `}`, `{"SdkHttpMetadata":{*"x-amz-crc32":["*"]*"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"*"}}`},
		{"dynamodb:getItem", `{"TableName":"tab","Key":{"id":{"S":"1"}}}`, `{"Item":` + sorted + meta},
		{"aws-sdk:dynamodb:getItem", `{"TableName":"tab","Key":{"id":{"S":"2"}}}`, `{}`},
		{"dynamodb:updateItem", `{"TableName":"tab","Key":{"id":{"S":"1"}},"UpdateExpression":"SET n = n + :one","ExpressionAttributeValues":{":one":{"N":"1"}},"ReturnValues":"UPDATED_NEW"}`,
			`{"Attributes":{"n":{"N":"2.5"}}` + meta},
		{"aws-sdk:dynamodb:query", `{"TableName":"tab","KeyConditionExpression":"id = :id","ExpressionAttributeValues":{":id":{"S":"1"}},"ProjectionExpression":"n"}`,
			`{"Count":1,"Items":[{"n":{"N":"2.5"}}],"ScannedCount":1}`},
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":{"id":{"S":"1"}},"ConditionExpression":"attribute_not_exists(id)"}`,
			`DynamoDb.ConditionalCheckFailedException: The conditional request failed (Service: DynamoDb, Status Code: 400, Request ID: *)`},
		{"dynamodb:putItem", `{"TableName":"tab","Item":{"id":{"S":"1"}},"ConditionExpression":"attribute_not_exists(id)"}`,
			`DynamoDB.ConditionalCheckFailedException: The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException; Request ID: *; Proxy: null)`},
		{"dynamodb:deleteItem", `{"TableName":"tab","Key":{"id":{"S":"1"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{*"n":{"N":"2.5"}*` + meta},
		{"dynamodb:getItem", `{"TableName":"none","Key":{"id":{"S":"1"}}}`,
			`DynamoDB.ResourceNotFoundException: Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException; Request ID: *; Proxy: null)`},
		{"dynamodb:putItem", `{"TableName":"/tab","Item":{"id":{"S":"1"}}}`, `DynamoDB.AmazonDynamoDBException: *1 validation error detected: Value '/tab' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request ID: *; Proxy: null)`},
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":null}`, `DynamoDb.DynamoDbException: *Value null at 'item' failed to satisfy constraint: Member must not be null (Service: DynamoDb, Status Code: 400, Request ID: *)`},
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":{"id":{"X":"1"}}}`, `States.Runtime: The field 'Item.id.X' is not supported by Step Functions`},
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":{"id":"1"}}`, `States.Runtime: The field 'Item.id' must be an object with one member but was: "1"`},
	} {
		if got := call(t, set, tc.name, tc.arguments); !like(got, tc.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}
