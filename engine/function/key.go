package function

import "context"

// Key returns the Key of the request that a function in this process was called with: the same for all attempts of one
// invocation and for no other. ctx must be the function's; "" otherwise.
func Key(ctx context.Context) string {
	if req, ok := ctx.Value(requestKey{}).(*Request); ok {
		return req.Key
	}
	return ""
}

type requestKey struct{}

// calledWith is the context of a function in this process: it knows the request.
type calledWith struct {
	context.Context
	req *Request
}

func (c *calledWith) Value(key any) any {
	if key == (requestKey{}) {
		return c.req
	}
	return c.Context.Value(key)
}
