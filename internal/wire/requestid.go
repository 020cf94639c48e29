package wire

import (
	"context"
	"crypto/rand"
	"fmt"
)

// NewRequestID returns a random UUID (version 4): the form of the
// x-ms-client-request-id, by which Azure services find a request in their logs,
// and of the ids of connections and sessions.
func NewRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

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
