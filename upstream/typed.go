package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
)

// Typed adapts a handler that takes and returns JSON. The data of the event is
// decoded into an In, whatever its content type says, because clients without
// a subprotocol can send JSON only as text; data that does not decode is
// answered with 400 and does not reach the handler. The Out is sent as a JSON
// message; a nil Out (a nil pointer, map, slice or interface) sends none.
//
// A handler that changes the connection's state or sends metadata takes the
// request itself, and [UserEventRequest.Decode].
func Typed[In, Out any](fn func(ctx context.Context, req *UserEventRequest, in In) (Out, error)) UserEventFunc {
	if fn == nil {
		panic("upstream: Typed of a nil function")
	}
	return func(ctx context.Context, req *UserEventRequest) (*UserEventResponse, error) {
		var in In
		if err := req.Decode(&in); err != nil {
			return nil, err
		}
		out, err := fn(ctx, req, in)
		if err != nil || isNil(out) {
			return nil, err
		}
		return JSON(out)
	}
}

// Decode decodes the data of the event as JSON, whatever its content type says.
// A handler can return the error as it is: it is answered with 400.
func (r *UserEventRequest) Decode(v any) error {
	if err := json.Unmarshal(r.Data, v); err != nil {
		return &InvalidBodyError{Context: r.Connection(), err: &jsonError{reflect.TypeOf(v), err}}
	}
	return nil
}

// A jsonError reports data that does not decode. Its text does not repeat the
// data, which the text of the error behind it may do.
type jsonError struct {
	want reflect.Type
	err  error
}

func (e *jsonError) Error() string { return fmt.Sprintf("data does not fit a %v", e.want) }

func (e *jsonError) Unwrap() error { return e.err }
