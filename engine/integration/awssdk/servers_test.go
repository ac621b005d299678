package awssdk

import (
	"testing"

	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/internal/testserver"
)

func TestDynamoDB(t *testing.T) {
	t.Parallel()
	set := integration.NewSet()
	if err := Register(set, Config{Region: "us-east-1", Endpoints: map[string]string{"dynamodb": testserver.DynamoDB(t)}}); err != nil {
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
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":{"id":{"X":"1"}}}`, `States.Runtime: The field "Item.id.X" is not supported by Step Functions`},
		{"aws-sdk:dynamodb:putItem", `{"TableName":"tab","Item":{"id":"1"}}`, `States.Runtime: The field "Item.id" must be an object with one member but was: "1"`},
	} {
		if got := call(t, set, tc.name, tc.arguments); !like(got, tc.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}

func TestS3Server(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", testserver.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.SecretKey)
	set := integration.NewSet()
	if err := Register(set, Config{Region: "us-east-1", Endpoints: map[string]string{"s3": testserver.S3(t)}}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, arguments, want string }{
		{"createBucket", `{"Bucket":"shop"}`, `{*}`},
		{"putObject", `{"Bucket":"shop","Key":"a/ä b.json","Body":{"n":[1.0,"x"]},"Metadata":{"who":"weft"}}`, `{*"ETag":"\"*\""*}`},
		{"getObject", `{"Bucket":"shop","Key":"a/ä b.json"}`, `{*"Body":"{\"n\":[1.0,\"x\"]}"*"ContentLength":15,"ContentType":"text/plain; charset=UTF-8"*"Metadata":{"who":"weft"}*}`},
		{"copyObject", `{"Bucket":"shop","Key":"copy","CopySource":"shop/a/%C3%A4%20b.json"}`, `{"CopyObjectResult":{*}*}`},
		{"headObject", `{"Bucket":"shop","Key":"copy"}`, `{*"ContentLength":15*}`},
		{"listObjectsV2", `{"Bucket":"shop","Prefix":"a/"}`, `{*"Contents":[{*"Key":"a/ä b.json"*"Size":15*}]*"KeyCount":1*}`},
		{"deleteObjects", `{"Bucket":"shop","Delete":{"Objects":[{"Key":"copy"},{"Key":"a/ä b.json"}]}}`, `{"Deleted":[{*"Key":"copy"*},{*}]*}`},
		{"getObject", `{"Bucket":"shop","Key":"copy"}`, `S3.NoSuchKeyException: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: *)`},
		{"listObjectsV2", `{"Bucket":"none"}`, `S3.NoSuchBucketException: The specified bucket does not exist*(Service: S3, Status Code: 404, Request ID: *)`},
		{"headObject", `{"Bucket":"shop","Key":"copy"}`, `S3.*Exception: * (Service: S3, Status Code: 404, Request ID: *)`},
	} {
		if got := call(t, set, "aws-sdk:s3:"+tc.name, tc.arguments); !like(got, tc.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}
