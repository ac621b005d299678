package serviceapi

import (
	"strconv"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ service, action, result, want string }{
		{"sqs", "sendMessage", `{"MessageId": "m", "Other": 1}`, ""},
		{"sqs", "sendMessage", `{"MessageId": 1}`, "Field 'MessageId' must be a string"},
		{"sfn", "startExecution", `{"ExecutionArn": "arn"}`, "Required field 'StartDate' is missing"},
		{"s3", "getObject", `{"StorageClass": "PAPER"}`, "Field 'StorageClass' is not an expected value"},
		{"s3", "getObject", `{"ContentLength": "1"}`, "Field 'ContentLength' must be a number"},
		{"s3", "getObject", `{"DeleteMarker": 1}`, "Field 'DeleteMarker' must be a boolean"},
		{"s3", "getObject", `{"Metadata": {"a": 1}}`, "Field 'Metadata' must be a string"},
		{"s3", "listObjectsV2", `{"Contents": [{"Size": 1}, {"Size": true}]}`, "Field 'Size' must be a number"},
		{"s3", "listObjectsV2", `{"Contents": {}}`, "Field 'Contents' must be an array"},
		{"lambda", "getFunction", `{"Configuration": {"MemorySize": 1}}`, "Field 'MemorySize' is less than the minimum value"},
		{"kms", "encrypt", `{"CiphertextBlob": ""}`, "Field 'CiphertextBlob' is smaller than the minimum length"},
		{"rds", "describeDBInstances", `{"DbInstances": 1}`, "Field 'DbInstances' must be an array"},
		{"nothing", "getThing", `{"A": 1}`, ""},
		{"s3", "noSuchAction", `{"A": 1}`, ""},
		{"s3", "", `1`, ""},
	} {
		v, err := jsonvalue.ParseString(tc.result)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := Check(tc.service, tc.action, v, true); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s:%s of %s: %q, want %q", tc.service, tc.action, tc.result, got, tc.want)
		}
	}
	v, _ := jsonvalue.ParseString(`{"ExecutionArn": "arn"}`)
	if err := Check("sfn", "startExecution", v, false); err != nil {
		t.Errorf("a member that need not be there: %v", err)
	}
}

// TestModelsAreWhole reads every service and holds that each number is that of a shape.
func TestModelsAreWhole(t *testing.T) {
	t.Parallel()
	z, err := archive()
	if err != nil || len(z.File) < 50 {
		t.Fatalf("%d services, %v", len(z.File), err)
	}
	for _, f := range z.File {
		m := read(f.Name)
		if m == nil || len(m.operations) == 0 {
			t.Errorf("%s cannot be read", f.Name)
			continue
		}
		check := func(number string) {
			if n, err := strconv.Atoi(number); err != nil || n < 0 || n >= len(m.shapes) {
				t.Errorf("%s: %q is no shape", f.Name, number)
			}
		}
		for _, shape := range m.shapes {
			switch shape[0] {
			case '{':
				for member := range strings.FieldsSeq(shape[1:]) {
					check(member[strings.LastIndexAny(member, ":!")+1:])
				}
			case '[', '<':
				check(shape[1:])
			}
		}
	}
}

func TestCased(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"executionArn": "ExecutionArn", "DBInstanceIdentifier": "DbInstanceIdentifier", "ETag": "ETag",
		"SSEKMSKeyId": "SsekmsKeyId", "KeyId": "KeyId", "ARN": "Arn"} {
		if got := cased(in); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}
