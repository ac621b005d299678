package awssdk

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// classes are the names that a service has in AWS's Java SDKs, after which Step Functions names errors.
type classes struct {
	second  string // of the second SDK: "Sqs", in Sqs.SqsException and (Service: Sqs, …)
	first   string // before the dot in errors of the first: "SQS"
	service string // in its causes: "AmazonSQS"
	any     string // its class of errors that have none of their own: "AmazonSQSException"
	// exceptions are codes that have a class of their own although the Go SDK does not know them for every action.
	exceptions []string
}

// failure is an error of the SDK as Step Functions shows it.
func (c *classes) failure(optimised bool, err error) *integration.Error {
	var w *wrong
	var api smithy.APIError
	switch {
	case errors.As(err, &w):
		return integration.Errorf("States.Runtime", "%s", w.Error())
	case !errors.As(err, &api):
		return c.unsent(optimised, err)
	}
	status, request, host := whereFrom(err)
	class := c.class(api)
	if optimised {
		if class == "" {
			class = c.any
		}
		return integration.Errorf(c.first+"."+class, "%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
			api.ErrorMessage(), c.service, status, api.ErrorCode(), request)
	}
	if class == "" {
		class = c.second + "Exception"
	}
	if host != "" {
		request += ", Extended Request ID: " + host
	}
	return integration.Errorf(c.second+"."+class, "%s (Service: %s, Status Code: %d, Request ID: %s)", api.ErrorMessage(), c.second, status, request)
}

// class is the name of an error's class, "" when the service's model has none.
func (c *classes) class(api smithy.APIError) string {
	name := api.ErrorCode()
	if _, generic := api.(*smithy.GenericAPIError); !generic {
		name = reflect.TypeOf(api).Elem().Name()
	} else if !slices.Contains(c.exceptions, name) {
		return ""
	}
	return strings.TrimSuffix(name, "Exception") + "Exception"
}

// whereFrom returns what an error's answer says of itself.
func whereFrom(err error) (status int, request, host string) {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	var from interface{ ServiceRequestID() string }
	if errors.As(err, &from) {
		request = from.ServiceRequestID()
	}
	var extended interface{ ServiceHostID() string }
	if errors.As(err, &extended) {
		host = extended.ServiceHostID()
	}
	return status, request, host
}

// unsent is the failure of a request that got no answer.
func (c *classes) unsent(optimised bool, err error) *integration.Error {
	service := c.second
	if optimised {
		service = c.first
	}
	if strings.Contains(err.Error(), "get credentials") { // the SDK has no type for it
		return integration.Errorf(service+".SdkClientException", "Unable to load credentials: have them in the environment or in ~/.aws, "+
			"or say in weft.yaml under aws, endpoints, where the service is (%v)", err)
	}
	return integration.Errorf(service+".SdkClientException", "Unable to execute HTTP request: %s", reason(err))
}

// reason words why there was no answer; for what AWS's Java SDK says as well, in its words.
func reason(err error) string {
	var name *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return name.Name + ": Name or service not known"
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Addr != nil:
		return fmt.Sprintf("Connect to %s failed: %v", dial.Addr, dial.Err)
	}
	return err.Error()
}

// addMetadata adds what optimised integrations show of the HTTP answer.
func addMetadata(answer *jsonvalue.Object, meta middleware.Metadata) {
	all, each := jsonvalue.NewObject(8), jsonvalue.NewObject(8)
	status := int64(http.StatusOK)
	if r, ok := awsmiddleware.GetRawResponse(meta).(*smithyhttp.Response); ok {
		status = int64(r.StatusCode)
		for _, name := range sortedKeys(r.Header) {
			values := make([]any, len(r.Header[name]))
			for i, v := range r.Header[name] {
				values[i] = v
			}
			all.Set(header(name), values)
			each.Set(header(name), strings.Join(r.Header[name], ","))
		}
	}
	http := jsonvalue.NewObject(3)
	http.Set("AllHttpHeaders", all)
	http.Set("HttpHeaders", each)
	http.Set("HttpStatusCode", jsonvalue.Int(status))
	request, _ := awsmiddleware.GetRequestIDMetadata(meta)
	sdk := jsonvalue.NewObject(1)
	sdk.Set("RequestId", request)
	answer.Set("SdkHttpMetadata", http)
	answer.Set("SdkResponseMetadata", sdk)
}

func sortedKeys(h http.Header) []string {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
