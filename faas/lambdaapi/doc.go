// Package lambdaapi is AWS Lambda's HTTP API in front of a faas, for clients that know no other: the AWS SDKs and the
// AWS CLI with their endpoint set to it.
//
//	api, err := lambdaapi.New(lambdaapi.Config{Service: faas.New(faas.Config{}), Dir: dir})
//	defer api.Close()
//	err = http.Serve(listener, api)
//
// Functions of the faas can be invoked whether they were registered there or created here. Signatures are not looked at:
// serve it on a loopback address. docs/local-lambda.md says what is here and what only Lambda has.
//
// Source: AWS Lambda API Reference, and the errors that Lambda answers.
package lambdaapi
