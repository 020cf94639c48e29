package upstream

import (
	"context"
	"encoding/json"
	"reflect"
)

// Typed adapts a handler that takes and returns JSON. The data of the event is
// decoded into an In, whatever its content type says, because clients without
// a subprotocol can send JSON only as text; data that does not decode is
// answered with 400 and does not reach the handler. The Out is sent as a JSON
// message; a nil Out (a nil pointer, map, slice or interface) sends none.
func Typed[In, Out any](fn func(ctx context.Context, req *UserEventRequest, in In) (Out, error)) UserEventFunc {
	if fn == nil {
		panic("upstream: Typed of a nil function")
	}
	return func(ctx context.Context, req *UserEventRequest) (*UserEventResponse, error) {
		var in In
		if err := json.Unmarshal(req.Data, &in); err != nil {
			return nil, &InvalidBodyError{Context: req.Connection(), err: &jsonError{reflect.TypeFor[In](), err}}
		}
		out, err := fn(ctx, req, in)
		if err != nil || isNil(out) {
			return nil, err
		}
		return JSON(out)
	}
}

// A jsonError reports data that does not decode. Its text does not repeat the
// data, which the text of the error behind it may do.
type jsonError struct {
	want reflect.Type
	err  error
}

func (e *jsonError) Error() string { return "data is not the JSON of a " + e.want.String() }

func (e *jsonError) Unwrap() error { return e.err }

// isNil reports whether v is nil, or an interface around a nil pointer, map,
// slice, function or channel.
func isNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return rv.IsNil()
	}
	return false
}
