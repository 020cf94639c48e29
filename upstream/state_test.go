package upstream_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// encoded is a JSON text as state on the wire.
func encoded(jsonText string) string { return base64.StdEncoding.EncodeToString([]byte(jsonText)) }

// withState adds a state to the headers of an event.
func withState(h http.Header, raw string) http.Header {
	h[wire.HeaderConnectionState] = []string{raw}
	return h
}

func TestNewState(t *testing.T) {
	type cart struct {
		Items []string `json:"items"`
		Note  string   `json:"note,omitempty"`
	}
	tests := []struct {
		name  string
		value any
		want  string // the JSON text, empty for an error
	}{
		{"struct", cart{Items: []string{"a"}}, `{"items":["a"]}`},
		{"pointer", &cart{Note: "<&>"}, `{"items":null,"note":"<&>"}`},
		{"map", map[string]any{"b": 1, "a": "ë"}, `{"a":"ë","b":1}`},
		{"empty map", map[string]any{}, `{}`},
		{"raw", json.RawMessage(`{ "n" : 9007199254740993 }`), `{"n":9007199254740993}`},
		{".NET", upstream.DotNetState{"k": []byte("value"), "none": nil}, `{"k":"dmFsdWU=","none":""}`},
		{"nil .NET", upstream.DotNetState(nil), `{}`},
		{"nil", nil, ""},
		{"nil pointer", (*cart)(nil), ""},
		{"nil map", map[string]any(nil), ""},
		{"list", []string{"a"}, ""},
		{"text", "a", ""},
		{"number", 1, ""},
		{"function", func() {}, ""},
		{"too long", map[string]string{"a": strings.Repeat("x", upstream.MaxStateBytes)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := upstream.NewState(tt.value)
			if tt.want == "" {
				if err == nil || !got.IsZero() {
					t.Errorf("got %q, %v, want an error", got.Raw(), err)
				}
				return
			}
			if err != nil || got.Raw() != encoded(tt.want) || got.IsZero() {
				t.Errorf("got %q, %v, want %q", got.Raw(), err, encoded(tt.want))
			}
		})
	}
}

func TestRawState(t *testing.T) {
	for _, raw := range []string{"", "a", "cart=42; step 2", "e30=", "~", strings.Repeat("x", upstream.MaxStateBytes)} {
		s, err := upstream.RawState(raw)
		if err != nil || s.Raw() != raw || s.IsZero() {
			t.Errorf("RawState(%.20q) = %.20q, %v, want it as given", raw, s.Raw(), err)
		}
	}
	for _, raw := range []string{
		" a", "a ", "a\nb", "a\r\nSet-Cookie: x", "a\tb", "a\x00", "a\x7f", "é",
		strings.Repeat("x", upstream.MaxStateBytes+1),
	} {
		if s, err := upstream.RawState(raw); err == nil || !s.IsZero() {
			t.Errorf("RawState(%.20q) = %.20q, %v, want an error", raw, s.Raw(), err)
		}
	}
}

func TestStateDecode(t *testing.T) {
	type pair struct{ A, B int }
	tests := []struct {
		name string
		raw  string
		want pair // starts as {7, 7}
		ok   bool
	}{
		{"empty", "", pair{7, 7}, true},
		{"object", encoded(`{"a":1}`), pair{1, 7}, true},
		{"white space around", encoded(" {\"a\":1}\r\n"), pair{1, 7}, true},
		{"without padding", strings.TrimRight(encoded(`{"a":12}`), "="), pair{12, 7}, true},
		{"URL alphabet", base64.URLEncoding.EncodeToString([]byte(`{"a":1,"x":"??>>"}`)), pair{1, 7}, true},
		{"other type", encoded(`{"a":"one"}`), pair{7, 7}, false},
		{"list", encoded(`[1]`), pair{7, 7}, false},
		{"null", encoded(`null`), pair{7, 7}, false},
		{"two objects", encoded(`{"a":1}{"a":2}`), pair{7, 7}, false},
		{"cut off", encoded(`{"a":1`), pair{7, 7}, false},
		{"raw JSON", `{"a":1}`, pair{7, 7}, false},
		{"no base64", "%%%", pair{7, 7}, false},
		{"only padding", "==", pair{7, 7}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := receivedState(t, &tt.raw)
			got := pair{7, 7}
			err := state.Decode(&got)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v, want %v, ok = %v", got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestStateErrorsShowNoContent(t *testing.T) {
	for _, raw := range []string{"S3cret%", encoded(`["S3cret"]`), encoded(`{"a":"S3cret"}`)} {
		var into struct{ A int }
		err := receivedState(t, &raw).Decode(&into)
		if err == nil {
			t.Fatalf("%q decodes", raw)
		}
		wantNoneOf(t, err.Error(), []string{"S3cret", raw})
	}
}

func TestStateString(t *testing.T) {
	empty, err := upstream.RawState("")
	if err != nil {
		t.Fatal(err)
	}
	set, err := upstream.RawState("S3cret")
	if err != nil {
		t.Fatal(err)
	}
	for state, want := range map[upstream.State]string{ // a key: states are comparable
		{}:    "State(absent)",
		empty: "State(empty)",
		set:   "State(6 bytes)",
	} {
		if got := state.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	again, err := upstream.RawState("S3cret")
	if err != nil {
		t.Fatal(err)
	}
	if set != again {
		t.Error("equal states differ")
	}
	if empty == (upstream.State{}) {
		t.Error("the empty state and the absent one are equal")
	}
}

func TestStateOf(t *testing.T) {
	type session struct{ Room string }
	for raw, want := range map[string]session{encoded(`{"room":"lobby"}`): {Room: "lobby"}, "": {}} {
		req, err := newHandler(t, nil).Parse(t.Context(), withState(event(typeConnected), raw), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := upstream.StateOf[session](req); err != nil || got != want {
			t.Errorf("state %q: got %v, %v, want %v", raw, got, err, want)
		}
	}
	req, err := newHandler(t, nil).Parse(t.Context(), withState(event(typeConnected), "opaque%"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := upstream.StateOf[session](req); err == nil {
		t.Errorf("opaque state: got %v, want an error", got)
	}
}

// A stateEditor is what both responses of blocking events are.
type stateEditor interface {
	SetState(key string, value any) error
	DeleteState(key string)
	ClearStates()
}

// editThrough runs edits in the handlers of both blocking events, for a
// connection with this state (nil: none), and returns the answers by event type.
func editThrough(t *testing.T, before *string, edit func(stateEditor) error) map[string]*upstream.Response {
	t.Helper()
	h := newHandler(t, nil)
	h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) {
		resp := &upstream.ConnectResponse{}
		return resp, edit(resp)
	})
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		resp := upstream.Text("ok")
		return resp, edit(resp)
	})
	answers := map[string]*upstream.Response{}
	for ceType, body := range map[string]string{typeConnect: "{}", typeMessage: "hello"} {
		header := event(ceType)
		if before != nil {
			withState(header, *before)
		}
		answers[ceType] = h.HandleHTTP(t.Context(), header, []byte(body))
	}
	return answers
}

func set(key string, value any) func(stateEditor) error {
	return func(e stateEditor) error { return e.SetState(key, value) }
}

func remove(key string) func(stateEditor) error {
	return func(e stateEditor) error { e.DeleteState(key); return nil }
}

func clearAll(e stateEditor) error { e.ClearStates(); return nil }

func inOrder(edits ...func(stateEditor) error) func(stateEditor) error {
	return func(e stateEditor) error {
		for _, edit := range edits {
			if err := edit(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestStateEdits(t *testing.T) {
	const keep = "" // nothing is sent
	object := func(jsonText string) *string { return new(encoded(jsonText)) }
	tests := []struct {
		name   string
		before *string
		edit   func(stateEditor) error
		want   string // the JSON text that is sent
	}{
		{"no edit", object(`{"a":1}`), inOrder(), keep},
		{"set on none", nil, set("a", 1), `{"a":1}`},
		{"set on empty", new(""), set("a", 1), `{"a":1}`},
		{"set on opaque", new("cart=42"), set("a", 1), `{"a":1}`},
		{"set keeps the others", object(`{"b":[1,2],"c":"ë<&>"}`), set("a", nil), `{"a":null,"b":[1,2],"c":"ë<&>"}`},
		{"set the same", object(`{"a":{"x":[1,true,null],"y":"z"}}`), set("a", map[string]any{"y": "z", "x": []any{1, true, nil}}), keep},
		{"set the same as Python wrote", object(`{"a": 1, "b": {"c": [true, null]}}`), set("a", 1), keep},
		{"set the same as Python escaped", object(`{"name": "Zo\u00eb"}`), set("name", "Zoë"), keep},
		{"set the same in the URL alphabet", new("eyJhIjoiPz8-In0="), set("a", "??>"), keep},
		{"set back", object(`{"a":1}`), inOrder(set("a", 2), set("a", 1)), keep},
		{"the last set counts", object(`{"a":1}`), inOrder(set("a", 2), set("a", 3)), `{"a":3}`},
		{"names keep their case", object(`{"a":1}`), set("A", 1), `{"A":1,"a":1}`},
		{"big numbers survive", object(`{"n":9007199254740993123,"m":1e400}`), set("a", 1), `{"a":1,"m":1e400,"n":9007199254740993123}`},
		{"big numbers differ", object(`{"n":9007199254740993}`), set("n", uint64(9007199254740992)), `{"n":9007199254740992}`},
		{"the last of two names counts", object(`{"a":1,"a":2}`), set("b", 3), `{"a":2,"b":3}`},
		{"odd names", object(`{"\u0000":1,"":2}`), set("\n", 3), `{"":2,"\u0000":1,"\n":3}`},
		{"delete", object(`{"a":1,"b":2}`), remove("a"), `{"b":2}`},
		{"delete what is not there", object(`{"a":1}`), remove("b"), keep},
		{"delete on none", nil, remove("a"), keep},
		{"delete on opaque", new("cart=42"), remove("a"), keep},
		{"delete the last", object(`{"a":1}`), remove("a"), `{}`},
		{"delete what was just set", object(`{"a":1}`), inOrder(set("b", 2), remove("b")), keep},
		{"clear", object(`{"a":1,"b":2}`), clearAll, `{}`},
		{"clear none", nil, clearAll, keep},
		{"clear empty", new(""), clearAll, keep},
		{"clear what is clear", new("e30="), clearAll, keep},
		{"clear opaque", new("cart=42"), clearAll, `{}`},
		{"clear and set the same", object(`{"a":1}`), inOrder(clearAll, set("a", 1)), keep},
		{"clear and set another", object(`{"a":1}`), inOrder(clearAll, set("b", 2)), `{"b":2}`},
		{"set and clear", nil, inOrder(set("a", 1), clearAll), keep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for ceType, resp := range editThrough(t, tt.before, tt.edit) {
				var want []string
				if tt.want != keep {
					want = []string{encoded(tt.want)}
				}
				if got := resp.Header[wire.HeaderConnectionState]; resp.StatusCode >= 300 || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got status %d and state %q, want success and %q", ceType, resp.StatusCode, got, want)
				}
			}
		})
	}
}

// A replacement that equals what is there is no change; edits start from it.
func TestStateReplacement(t *testing.T) {
	newState := func(jsonText string) upstream.State {
		s, err := upstream.NewState(json.RawMessage(jsonText))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	empty, err := upstream.RawState("")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		state upstream.State
		edit  func(stateEditor) error
		want  []string
	}{
		{"none", upstream.State{}, inOrder(), nil},
		{"the same", newState(`{"a":1}`), inOrder(), nil},
		{"another", newState(`{"b":2}`), inOrder(), []string{encoded(`{"b":2}`)}},
		{"the empty one", empty, inOrder(), []string{""}},
		{"with an edit", newState(`{"b":2}`), set("c", 3), []string{encoded(`{"b":2,"c":3}`)}},
		{"undone by an edit", newState(`{"a":2}`), set("a", 1), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := editThrough(t, new(encoded(`{"a":1}`)), func(e stateEditor) error {
				switch resp := e.(type) {
				case *upstream.ConnectResponse:
					resp.State = tt.state
				case *upstream.UserEventResponse:
					resp.State = tt.state
				}
				return tt.edit(e)
			})
			for ceType, resp := range answers {
				if got := resp.Header[wire.HeaderConnectionState]; !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%s: got state %q, want %q", ceType, got, tt.want)
				}
			}
		})
	}
}

func TestSetStateErrors(t *testing.T) {
	for name, value := range map[string]any{
		"value of \"k\": json: unsupported type": func() {},
		"value of \"k\" takes 10672 bytes":       strings.Repeat("x", upstream.MaxStateBytes),
	} {
		var err error
		answers := editThrough(t, new(encoded(`{"a":1}`)), func(e stateEditor) error {
			err = e.SetState("k", value)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got error %v, want %q", err, name)
		}
		for ceType, resp := range answers {
			if got, sent := resp.Header[wire.HeaderConnectionState]; sent || resp.StatusCode >= 300 {
				t.Errorf("%s: got status %d and state %q, want success and none", ceType, resp.StatusCode, got)
			}
		}
	}
}

// Values that fit one by one may be too long together. That is known when the
// answer is made, and the log says what to do.
func TestStateTooLongTogether(t *testing.T) {
	half := strings.Repeat("x", upstream.MaxStateBytes/2)
	sink := &logSink{}
	h := newHandler(t, &upstream.Options{Logger: sink.logger()})
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		resp := upstream.Text("ok")
		return resp, inOrder(set("a", half), set("b", half))(resp)
	})
	resp := h.HandleHTTP(t.Context(), event(typeMessage), nil)
	if resp.StatusCode != http.StatusInternalServerError || len(resp.Header[wire.HeaderConnectionState]) > 0 || len(resp.Body) > 0 {
		t.Errorf("got status %d, headers %v, body %q, want a bare 500", resp.StatusCode, resp.Header, resp.Body)
	}
	want := "upstream: connection state takes 10688 bytes, the limit is 8000"
	if lines := sink.lines(t); len(lines) != 1 || lines[0]["err"] != want {
		t.Errorf("got log %v, want one line with %q", lines, want)
	}
}

// What is lost with an unreadable state is worth one warning; reading it, or
// leaving it alone, is not.
func TestUnreadableStateWarning(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(stateEditor) error
		want int
	}{
		"left alone": {inOrder(), 0},
		"deleted":    {remove("a"), 0},
		"set":        {set("a", 1), 1},
		"cleared":    {clearAll, 1},
	} {
		sink := &logSink{}
		h := newHandler(t, &upstream.Options{Logger: sink.logger()})
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			resp := upstream.Text("ok")
			return resp, tt.edit(resp)
		})
		if resp := h.HandleHTTP(t.Context(), withState(event(typeMessage), "S3cret%"), nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", name, resp.StatusCode)
		}
		got := 0
		for _, line := range sink.lines(t) {
			if line["level"] == "WARN" {
				got++
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %d warnings, want %d: %s", name, got, tt.want, sink)
		}
		wantNoneOf(t, sink.String(), []string{"S3cret"})
	}
}

func TestWithState(t *testing.T) {
	type counter struct {
		N    int    `json:"n"`
		Name string `json:"name,omitempty"`
	}
	leave := func(*counter) {}
	increase := func(c *counter) { c.N++ }
	tests := []struct {
		name   string
		before *string
		change func(*counter)
		saw    counter
		want   string // the JSON text that is sent, empty for none
	}{
		{"none, unchanged", nil, leave, counter{}, ""},
		{"none, changed", nil, increase, counter{}, `{"n":1}`},
		{"empty, unchanged", new(""), leave, counter{}, ""},
		{"set, unchanged", new(encoded(`{"n":1}`)), leave, counter{N: 1}, ""},
		{"set, changed", new(encoded(`{"n":1,"name":"a"}`)), increase, counter{1, "a"}, `{"n":2,"name":"a"}`},
		{"by Python, unchanged", new(encoded(`{"name": "Zo\u00eb", "n": 1}`)), leave, counter{1, "Zoë"}, ""},
		{"unknown members, unchanged", new(encoded(`{"n":1,"other":true}`)), leave, counter{N: 1}, ""},
		{"opaque, unchanged", new("cart=42"), leave, counter{}, ""},
		{"opaque, changed", new("cart=42"), increase, counter{}, `{"n":1}`},
		{"half readable", new(encoded(`{"n":1,"name":[]}`)), leave, counter{}, ""},
	}
	for _, tt := range tests {
		for name, reply := range map[string]*upstream.UserEventResponse{"reply": upstream.Text("ok"), "nil": nil} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				h := newHandler(t, nil)
				var saw counter
				h.HandleUserMessage(upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, c *counter) (*upstream.UserEventResponse, error) {
					saw = *c
					tt.change(c)
					return reply, nil
				}))
				header := event(typeMessage)
				if tt.before != nil {
					withState(header, *tt.before)
				}
				resp := h.HandleHTTP(t.Context(), header, nil)
				if saw != tt.saw {
					t.Errorf("the handler saw %+v, want %+v", saw, tt.saw)
				}
				var want []string
				if tt.want != "" {
					want = []string{encoded(tt.want)}
				}
				if got := resp.Header[wire.HeaderConnectionState]; resp.StatusCode >= 300 || !reflect.DeepEqual(got, want) {
					t.Errorf("got status %d and state %q, want success and %q", resp.StatusCode, got, want)
				}
			})
		}
	}
}

func TestWithStateOfMap(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, m *map[string]int) (*upstream.UserEventResponse, error) {
		(*m)["n"]++ // a nil map would panic
		return nil, nil
	}))
	for before, want := range map[string]string{"": `{"n":1}`, encoded(`{"n":1,"m":2}`): `{"m":2,"n":2}`, "opaque%": `{"n":1}`} {
		resp := h.HandleHTTP(t.Context(), withState(event(typeMessage), before), nil)
		if got := resp.Header.Get("ce-connectionState"); got != encoded(want) {
			t.Errorf("state %q: got status %d and %q, want %q", before, resp.StatusCode, got, encoded(want))
		}
	}
}

// A handler that fails changes nothing.
func TestWithStateError(t *testing.T) {
	h := newHandler(t, nil)
	h.HandleUserMessage(upstream.WithState(func(_ context.Context, _ *upstream.UserEventRequest, m *map[string]int) (*upstream.UserEventResponse, error) {
		(*m)["n"]++
		return nil, upstream.NewError(http.StatusConflict, "no")
	}))
	resp := h.HandleHTTP(t.Context(), event(typeMessage), nil)
	if got, sent := resp.Header[wire.HeaderConnectionState]; sent || resp.StatusCode != http.StatusConflict {
		t.Errorf("got status %d and state %q, want 409 and none", resp.StatusCode, got)
	}
}

func TestWithStatePanics(t *testing.T) {
	mustPanic(t, "nil function", func() { upstream.WithState[struct{}](nil) })
	mustPanic(t, "T is a list", func() { upstream.WithState(statefulFunc[[]string]()) })
	mustPanic(t, "T is text", func() { upstream.WithState(statefulFunc[string]()) })
	mustPanic(t, "T encodes as text", func() { upstream.WithState(statefulFunc[time.Time]()) })
	mustPanic(t, "T is a pointer", func() { upstream.WithState(statefulFunc[*struct{}]()) })
}

func statefulFunc[T any]() func(context.Context, *upstream.UserEventRequest, *T) (*upstream.UserEventResponse, error) {
	return func(context.Context, *upstream.UserEventRequest, *T) (*upstream.UserEventResponse, error) {
		return nil, nil
	}
}

// Whatever a state holds, a handler that only answers gets its answer through.
func TestHostileState(t *testing.T) {
	states := map[string]string{
		"1 MB of text":      strings.Repeat("x", 1<<20),
		"1 MB of JSON":      encoded(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`),
		"above our limit":   encoded(`{"a":"` + strings.Repeat("x", upstream.MaxStateBytes) + `"}`),
		"deep lists":        encoded(`{"a":` + strings.Repeat("[", 1<<18) + strings.Repeat("]", 1<<18) + `}`),
		"deep but allowed":  encoded(`{"a":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`),
		"duplicate names":   encoded(`{"a":1,"a":[2],"a":{"a":3}}`),
		"NUL":               "a\x00b",
		"NUL inside":        encoded("{\"a\":\"\x00\"}"),
		"escaped NUL":       encoded(`{"a\u0000":"\u0000"}`),
		"invalid UTF-8":     encoded("{\"a\":\"\xff\xfe\"}"),
		"lone surrogate":    encoded(`{"a":"\ud800"}`),
		"line breaks":       "a\r\nSet-Cookie: a=b",
		"not ASCII":         "é",
		"number too large":  encoded(`{"a":1e999999}`),
		"a list":            encoded(`[1]`),
		"a lone brace":      encoded(`{`),
		"nothing in base64": "====",
	}
	handlers := map[string]upstream.UserEventFunc{
		"ignores it": func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			return upstream.Text("ok"), nil
		},
		"reads it": func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			var v map[string]any
			_ = req.State.Decode(&v) // an error is fine, the answer has to come
			return upstream.Text("ok"), nil
		},
		"has it as a map": upstream.WithState(func(context.Context, *upstream.UserEventRequest, *map[string]any) (*upstream.UserEventResponse, error) {
			return upstream.Text("ok"), nil
		}),
		"has it as a struct": upstream.WithState(func(context.Context, *upstream.UserEventRequest, *struct{ A string }) (*upstream.UserEventResponse, error) {
			return upstream.Text("ok"), nil
		}),
		"clears it": func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			resp := upstream.Text("ok")
			resp.ClearStates()
			return resp, nil
		},
		"deletes from it": func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			resp := upstream.Text("ok")
			resp.DeleteState("b")
			return resp, nil
		},
	}
	for stateName, raw := range states {
		for handlerName, fn := range handlers {
			t.Run(stateName+"/"+handlerName, func(t *testing.T) {
				h := newHandler(t, nil)
				h.HandleUserMessage(fn)
				resp := h.HandleHTTP(t.Context(), withState(event(typeMessage), raw), nil)
				if resp.StatusCode != http.StatusOK || string(resp.Body) != "ok" {
					t.Errorf("got status %d and body %q, want 200 and ok", resp.StatusCode, resp.Body)
				}
				sent := resp.Header[wire.HeaderConnectionState]
				if handlerName == "clears it" {
					if !reflect.DeepEqual(sent, []string{"e30="}) {
						t.Errorf("got state %.40q, want e30=", sent)
					}
				} else if sent != nil {
					t.Errorf("got state %.40q, want none", sent)
				}
			})
		}
	}
}

// The service ignores a state in the answer to a notification, so the types
// leave no way to set one.
func TestOnlyBlockingEventsChangeState(t *testing.T) {
	editor := reflect.TypeFor[stateEditor]()
	for _, response := range []reflect.Type{reflect.TypeFor[*upstream.ConnectResponse](), reflect.TypeFor[*upstream.UserEventResponse]()} {
		if !response.Implements(editor) {
			t.Errorf("%v does not edit state", response)
		}
	}
	for _, event := range []reflect.Type{
		reflect.TypeFor[*upstream.ConnectedEvent](), reflect.TypeFor[*upstream.DisconnectedEvent](),
		reflect.TypeFor[*upstream.GroupJoinedEvent](), reflect.TypeFor[*upstream.GroupLeftEvent](), reflect.TypeFor[*upstream.UnknownEvent](),
		reflect.TypeFor[*upstream.ConnectRequest](), reflect.TypeFor[*upstream.UserEventRequest](),
	} {
		for method := range editor.Methods() {
			if _, ok := event.MethodByName(method.Name); ok {
				t.Errorf("%v has the method %s", event, method.Name)
			}
		}
	}
	for _, handler := range []reflect.Type{
		reflect.TypeFor[upstream.ConnectedFunc](), reflect.TypeFor[upstream.DisconnectedFunc](),
		reflect.TypeFor[upstream.GroupJoinedFunc](), reflect.TypeFor[upstream.GroupLeftFunc](),
	} {
		if handler.NumOut() != 1 || handler.Out(0) != reflect.TypeFor[error]() {
			t.Errorf("%v returns more than an error", handler)
		}
	}
}

// A handler may answer everybody with one response.
func TestWithStateLeavesTheResponseAlone(t *testing.T) {
	type visit struct{ Name string }
	shared := upstream.Text("ok")
	h := newHandler(t, nil)
	h.HandleUserMessage(upstream.WithState(func(_ context.Context, req *upstream.UserEventRequest, v *visit) (*upstream.UserEventResponse, error) {
		if req.UserID == "alice" {
			v.Name = "alice"
		}
		return shared, nil
	}))
	if got := post(h, event(typeMessage, "ce-userId", "alice"), "").Header().Get("ce-connectionState"); got == "" {
		t.Error("the change of alice was not sent")
	}
	if got := post(h, event(typeMessage, "ce-userId", "bob"), "").Header().Get("ce-connectionState"); got != "" {
		t.Errorf("bob got the state of alice: %q", got)
	}
}

// What another SDK stored is not refused for its length when it gets no longer.
func TestLongStateCanShrink(t *testing.T) {
	long := encoded(`{"big":"` + strings.Repeat("x", 9000) + `","small":1}`)
	for name, tt := range map[string]struct {
		edit func(*upstream.UserEventResponse) error
		want int
	}{
		"shrinks": {func(r *upstream.UserEventResponse) error { r.DeleteState("small"); return nil }, 200},
		"same":    {func(r *upstream.UserEventResponse) error { return r.SetState("small", 2) }, 200},
		"grows":   {func(r *upstream.UserEventResponse) error { return r.SetState("more", strings.Repeat("y", 100)) }, 500},
	} {
		h := newHandler(t, nil)
		h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			r := upstream.Text("ok")
			return r, tt.edit(r)
		})
		if got := post(h, event(typeMessage, "ce-connectionState", long), "").Code; got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}
