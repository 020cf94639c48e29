package wire

import "context"

type requestIDKey struct{}

// maxRequestID is how long an id may be to be passed on.
const maxRequestID = 128

// WithRequestID returns a context for what is done on behalf of a request: calls
// of the service that are made with it carry the same x-ms-client-request-id, so
// that logs and tools find what an event led to. An id that could stand in no
// header is left out.
func WithRequestID(ctx context.Context, id string) context.Context {
	if id == "" || len(id) > maxRequestID || !ValidHeaderValue(id) {
		return ctx
	}
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id that [WithRequestID] put into a context, empty if
// there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
