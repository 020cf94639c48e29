package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// MaxStateBytes is the longest connection state that this library sends, in
// bytes of its encoded form. The service sends it back as a header of every
// event, and many servers and proxies take no header line above 8 KiB. The
// service's own limit is not documented.
const MaxStateBytes = 8000

// State is what the service keeps for the application with each connection: a
// value that it never looks inside and sends along with every event, in the
// header ce-connectionState.
//
// The zero State means "none" in a request and "leave it as it is" in a
// response. Absent, empty and set are different: IsZero tells absent apart,
// Raw tells empty. States are comparable with ==.
//
// The client never sees it. It is not signed either, so trust it as far as you
// trust the path between the service and you.
type State struct {
	raw     string
	present bool
}

// NewState encodes v, which must encode as a JSON object: a struct or a map.
// The form, an object in JSON in base64, is what the JavaScript and Python
// SDKs read and write. For .NET's see [DotNetState].
//
// The error says what is wrong when v cannot be encoded, is no object, or is
// longer than [MaxStateBytes] in its encoded form.
func NewState(v any) (State, error) {
	return State{}.replacedBy(v)
}

// replacedBy is NewState for a connection that has state s. Its length is the
// limit if it is above MaxStateBytes: what came this way can go back.
func (s State) replacedBy(v any) (State, error) {
	object, err := wire.Marshal(v)
	if err != nil {
		return State{}, fmt.Errorf("upstream: connection state: %w", err)
	}
	if object[0] != '{' {
		return State{}, fmt.Errorf("upstream: connection state must encode as a JSON object, and %T does not", v)
	}
	raw := base64.StdEncoding.EncodeToString(object)
	if limit := max(MaxStateBytes, len(s.raw)); len(raw) > limit {
		return State{}, tooLong(len(raw), limit)
	}
	return State{raw: raw, present: true}, nil
}

func tooLong(length, limit int) error {
	return fmt.Errorf("upstream: connection state takes %d bytes, the limit is %d", length, limit)
}

// RawState returns a state that is sent exactly as given, for applications
// with an encoding of their own. It must be visible ASCII text with spaces
// inside only, and not longer than [MaxStateBytes]. RawState("") empties the
// state, which is different from never having set it.
func RawState(raw string) (State, error) {
	if len(raw) > MaxStateBytes {
		return State{}, tooLong(len(raw), MaxStateBytes)
	}
	if !wire.ValidHeaderValue(raw) {
		return State{}, errors.New("upstream: connection state must be visible ASCII text without outer spaces")
	}
	return State{raw: raw, present: true}, nil
}

// IsZero reports whether no state was ever set.
func (s State) IsZero() bool { return !s.present }

// Raw returns the state as it is on the wire.
func (s State) Raw() string { return s.raw }

// Decode decodes the state into v as [json.Unmarshal] does. It leaves v as it
// is when the state is absent or empty. A state that is no JSON object in
// base64 is an error: it belongs to someone else.
func (s State) Decode(v any) error {
	object, err := s.object()
	if err != nil || object == nil {
		return err
	}
	if err := json.Unmarshal(object, v); err != nil {
		return &stateError{fmt.Sprintf("does not fit %T", v)}
	}
	return nil
}

// String returns a description of s that does not show its content.
func (s State) String() string {
	switch {
	case !s.present:
		return "State(absent)"
	case s.raw == "":
		return "State(empty)"
	}
	return fmt.Sprintf("State(%d bytes)", len(s.raw))
}

// A stateError reports a state that cannot be read. Its text does not repeat
// the state.
type stateError struct{ reason string }

func (e *stateError) Error() string { return "upstream: connection state " + e.reason }

// StatusCode is that of a handler that returns the error: the service would send
// the same state again after 5xx.
func (*stateError) StatusCode() int { return http.StatusBadRequest }

// object returns the JSON object of the state, nil when the state is absent or
// empty. As in Node, padding is optional and the URL alphabet is accepted.
func (s State) object() ([]byte, error) {
	if s.raw == "" {
		return nil, nil
	}
	text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s.raw, "="))
	object, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, &stateError{"is not base64"}
	}
	object = bytes.Trim(object, " \t\r\n") // JSON's own white space, no other
	if len(object) == 0 || object[0] != '{' || !json.Valid(object) {
		return nil, &stateError{"is not a JSON object"}
	}
	return object, nil
}

// StateOf returns the state of a request's connection as a T: the zero T when
// there is none. It is the way to read state in notifications, which cannot
// change it.
func StateOf[T any](req Request) (T, error) {
	var v T
	err := req.Connection().State.Decode(&v)
	return v, err
}

// WithState adapts a handler that wants the connection's state as a *T, where
// T is a struct or a map with string keys. If the handler changes *T and
// returns no error, the new value replaces the whole state, and a State that it
// set on its response; SetState and its siblings apply on top. A state that is
// absent, or that is not readable as a T, arrives as the zero T.
//
// The last writer wins: two events of one connection that are handled at the
// same time do not see each other's change.
func WithState[T any](fn func(context.Context, *UserEventRequest, *T) (*UserEventResponse, error)) UserEventFunc {
	if fn == nil {
		panic("upstream: WithState of a nil function")
	}
	if _, err := NewState(decodeState[T](State{})); err != nil {
		panic(fmt.Sprintf("upstream: WithState of %v: %v", reflect.TypeFor[T](), err))
	}
	return func(ctx context.Context, req *UserEventRequest) (*UserEventResponse, error) {
		value := decodeState[T](req.State)
		before, err := wire.Marshal(value)
		if err != nil {
			return nil, err
		}
		resp, err := fn(ctx, req, value)
		if err != nil {
			return nil, err
		}
		if after, err := wire.Marshal(value); err == nil && bytes.Equal(after, before) {
			return resp, nil
		}
		state, err := req.State.replacedBy(value)
		if err != nil {
			return nil, err
		}
		var changed UserEventResponse
		if resp != nil {
			changed = *resp // the handler may share it between connections
		}
		changed.State = state
		return &changed, nil
	}
}

// decodeState returns s as a T: the zero T, with a map to write to, when it
// cannot be read.
func decodeState[T any](s State) *T {
	value := new(T)
	if s.Decode(value) != nil {
		value = new(T) // Decode may have filled it in part
	}
	if v := reflect.ValueOf(value).Elem(); v.Kind() == reflect.Map && v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	return value
}

// DotNetState is connection state in the form of the .NET SDKs: each value is
// bytes of its own, which they write as base64 once more. Use it where handlers
// in Go and .NET share a hub:
//
//	state, err := upstream.NewState(upstream.DotNetState{"cart": []byte("42")})
//	err = req.State.Decode(&dotNetState)
type DotNetState map[string][]byte

// MarshalJSON implements [json.Marshaler]. A nil value is no bytes, not null.
func (s DotNetState) MarshalJSON() ([]byte, error) {
	values := make(map[string][]byte, len(s))
	for k, v := range s {
		values[k] = append([]byte{}, v...)
	}
	return json.Marshal(values)
}

// stateEdits are the changes that a handler made to named values of the state.
// They are applied to the request's state when the answer is written.
type stateEdits struct {
	edits []stateEdit
}

type stateEdit struct {
	op    stateOp
	key   string
	value json.RawMessage
}

type stateOp int

const (
	opSet stateOp = iota
	opDelete
	opClear
)

// SetState sets one named value of the connection's state and keeps the
// others. The error says why value cannot be encoded as JSON, or that it is
// too long; then nothing is changed.
func (s *stateEdits) SetState(key string, value any) error {
	encoded, err := wire.Marshal(value)
	if err != nil {
		return fmt.Errorf("upstream: connection state: value of %q: %w", key, err)
	}
	if n := base64.StdEncoding.EncodedLen(len(encoded)); n > MaxStateBytes {
		return fmt.Errorf("upstream: connection state: value of %q takes %d bytes, the limit is %d", key, n, MaxStateBytes)
	}
	s.edits = append(s.edits, stateEdit{opSet, key, encoded})
	return nil
}

// DeleteState removes one named value of the connection's state.
func (s *stateEdits) DeleteState(key string) {
	s.edits = append(s.edits, stateEdit{op: opDelete, key: key})
}

// ClearStates removes all named values of the connection's state, those that
// were set on this response before included.
func (s *stateEdits) ClearStates() {
	s.edits = append(s.edits, stateEdit{op: opClear})
}

// A stateChange is what an answer does to the connection's state.
type stateChange struct {
	state    State // to send; zero when nothing changed
	replaced bool  // the old state could not be read and is lost
}

// resolve applies a whole-value replacement (zero: none) and then the edits to
// the state of the request.
func (s *stateEdits) resolve(before, replacement State) (stateChange, error) {
	after := before
	if !replacement.IsZero() {
		after = replacement
	}
	base, unreadable := after.object()
	if len(s.edits) > 0 {
		values, changed := s.apply(base)
		if changed || unreadable != nil && s.clears() {
			edited, err := before.replacedBy(values)
			if err != nil {
				return stateChange{}, err
			}
			after = edited
		}
	}
	if after == before {
		return stateChange{}, nil
	}
	_, lost := before.object()
	return stateChange{state: after, replaced: lost != nil}, nil
}

// apply runs the edits on a JSON object and reports whether they changed it.
func (s *stateEdits) apply(object []byte) (values map[string]json.RawMessage, changed bool) {
	original := map[string]json.RawMessage{}
	if object != nil {
		_ = json.Unmarshal(object, &original) // object is a valid JSON object
	}
	values = make(map[string]json.RawMessage, len(original))
	for k, v := range original {
		values[k] = v
	}
	for _, e := range s.edits {
		switch e.op {
		case opSet:
			values[e.key] = e.value
		case opDelete:
			delete(values, e.key)
		case opClear:
			clear(values)
		}
	}
	return values, !sameValues(values, original)
}

func (s *stateEdits) clears() bool {
	for _, e := range s.edits {
		if e.op == opClear {
			return true
		}
	}
	return false
}

// sameValues compares by meaning, so that another SDK's spacing and escapes
// are no change.
func sameValues(a, b map[string]json.RawMessage) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || !bytes.Equal(v, w) && !reflect.DeepEqual(decodeAny(v), decodeAny(w)) {
			return false
		}
	}
	return true
}

func decodeAny(data []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	_ = d.Decode(&v) // data was taken from valid JSON
	return v
}
