package upstream_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// readLeniently is what a connection state means, written down once more: a
// JSON object in base64 of either alphabet, padded or not.
func readLeniently(raw string) (object map[string]json.RawMessage, ok bool) {
	if raw == "" {
		return nil, true
	}
	raw = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(raw), "=")
	text, err := base64.RawStdEncoding.DecodeString(raw)
	if err != nil || !strings.HasPrefix(string(bytes.TrimSpace(text)), "{") {
		return nil, false
	}
	err = json.Unmarshal(text, &object)
	return object, err == nil
}

// values decodes each value, so that spacing and escapes make no difference.
func values(t *testing.T, object map[string]json.RawMessage) map[string]any {
	t.Helper()
	decoded := map[string]any{}
	for name, value := range object {
		d := json.NewDecoder(bytes.NewReader(value))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("value of %q: %v", name, err)
		}
		decoded[name] = v
	}
	return decoded
}

func FuzzState(f *testing.F) {
	for _, tt := range vectors.Load().ConnectionState.Encodings {
		f.Add(tt.Header, "key")
	}
	for _, tt := range vectors.Load().ConnectionState.Reads.Cases {
		if tt.Header != nil {
			f.Add(*tt.Header, "a")
		}
	}
	f.Add(encoded(`{"n":9007199254740993123,"a":1,"a":2,"\u0000":"<\ud800>"}`), "a")
	f.Fuzz(func(t *testing.T, raw, key string) {
		state := receivedState(t, &raw)
		var got map[string]json.RawMessage
		err := state.Decode(&got)
		want, ok := readLeniently(raw)
		if (err == nil) != ok {
			t.Fatalf("Decode of %q: got error %v, want one: %v", raw, err, !ok)
		}
		before := values(t, want)
		if got := values(t, got); !reflect.DeepEqual(got, before) {
			t.Fatalf("Decode of %q: got %v, want %v", raw, got, before)
		}
		if got != nil {
			again, err := upstream.NewState(got)
			if err == nil {
				var twice map[string]json.RawMessage
				if err := again.Decode(&twice); err != nil || !reflect.DeepEqual(values(t, twice), before) {
					t.Errorf("%q: NewState of what Decode read holds %v, %v, want %v", raw, twice, err, before)
				}
			} else if len(raw) < upstream.MaxStateBytes/2 {
				t.Errorf("%q: NewState of what Decode read: %v", raw, err)
			}
		}

		key = strings.ToValidUTF8(key, "\uFFFD")
		wasSet := maps.Clone(before)
		wasSet[key] = json.Number("7")
		checkEdit(t, raw, before, wasSet, !ok, set(key, 7))
		wasDeleted := maps.Clone(before)
		delete(wasDeleted, key)
		checkEdit(t, raw, before, wasDeleted, false, remove(key))
		checkEdit(t, raw, before, map[string]any{}, !ok, clearAll)
	})
}

// checkEdit wants an edit to send exactly the state after, or nothing when
// that is what was there. Text that is lost is a change as well.
func checkEdit(t *testing.T, raw string, before, after map[string]any, lost bool, edit func(stateEditor) error) {
	t.Helper()
	for ceType, resp := range editThrough(t, &raw, edit) {
		sent := resp.Header[wire.HeaderConnectionState]
		if resp.StatusCode == http.StatusInternalServerError && len(raw) >= upstream.MaxStateBytes/2 {
			continue // it would be too long
		}
		if resp.StatusCode >= 300 {
			t.Errorf("%s with state %q: got status %d", ceType, raw, resp.StatusCode)
			continue
		}
		if !lost && reflect.DeepEqual(before, after) {
			if sent != nil {
				t.Errorf("%s: state %q did not change, and %q was sent", ceType, raw, sent)
			}
			continue
		}
		if len(sent) != 1 {
			t.Errorf("%s: state %q: sent %q, want %v", ceType, raw, sent, after)
			continue
		}
		object, ok := readLeniently(sent[0])
		if got := values(t, object); !ok || !reflect.DeepEqual(got, after) {
			t.Errorf("%s: state %q became %v, want %v", ceType, raw, got, after)
		}
	}
}

func FuzzContentType(f *testing.F) {
	for _, tt := range vectors.Load().MediaTypes.Request.Cases {
		if tt.ContentType != nil {
			f.Add(*tt.ContentType, []byte("hello"))
		}
	}
	f.Add("text/plain", []byte("\xff"))
	f.Add("image/png\r\nX: y", []byte("a"))
	written := map[upstream.DataType]string{
		upstream.DataTypeText:     "text/plain; charset=utf-8",
		upstream.DataTypeJSON:     "application/json; charset=utf-8",
		upstream.DataTypeBinary:   "application/octet-stream",
		upstream.DataTypeProtobuf: "application/x-protobuf",
	}
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		h := newHandler(t, nil)
		var got upstream.DataType
		h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
			got = req.DataType
			if req.ContentType != contentType || !bytes.Equal(req.Data, data) {
				t.Errorf("got content type %q and data %q, want %q and %q", req.ContentType, req.Data, contentType, data)
			}
			return &upstream.UserEventResponse{Data: req.Data, ContentType: req.ContentType}, nil
		})
		header := event(typeMessage)
		header[wire.HeaderContentType] = []string{contentType}
		resp := h.HandleHTTP(t.Context(), header, data)

		known, supported := written[got]
		isText := got == upstream.DataTypeText || got == upstream.DataTypeJSON
		switch {
		case !supported && got != upstream.DataTypeOther:
			t.Errorf("content type %q: got data type %q", contentType, got)
		case len(data) == 0:
			if resp.StatusCode != http.StatusNoContent {
				t.Errorf("no data: got status %d, want 204", resp.StatusCode)
			}
		case !supported, isText && !wire.IsUTF8(contentType):
			if resp.StatusCode != http.StatusInternalServerError || len(resp.Body) > 0 {
				t.Errorf("content type %q: got status %d and body %q, want a bare 500", contentType, resp.StatusCode, resp.Body)
			}
		default:
			if got := resp.Header[wire.HeaderContentType]; !slices.Equal(got, []string{known}) {
				t.Errorf("content type %q was written as %q, want %q", contentType, got, known)
			}
			if got == upstream.DataTypeText && !utf8.Valid(resp.Body) || utf8.Valid(data) && !bytes.Equal(resp.Body, data) {
				t.Errorf("content type %q: got body %q of %q", contentType, resp.Body, data)
			}
		}
	})
}

// readHeader makes headers of "name: value" lines, as raw as a host may hand
// them over.
func readHeader(text string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		h[name] = append(h[name], strings.TrimPrefix(value, " "))
	}
	return h
}

func headerText(h http.Header) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			lines = append(lines, name+": "+value)
		}
	}
	return strings.Join(lines, "\n")
}

// firstOf returns the first value of a header in any spelling of its name, and
// how many there are.
func firstOf(h http.Header, name string) (first string, n int) {
	for _, key := range slices.Sorted(maps.Keys(h)) {
		if textproto.CanonicalMIMEHeaderKey(key) == name {
			if n == 0 && len(h[key]) > 0 {
				first = h[key][0]
			}
			n += len(h[key])
		}
	}
	return first, n
}

// proven is the rule of validation, written down once more: a token made with
// the key, and demoHost among the origins.
func proven(h http.Header) bool {
	named, token := false, false
	id, _ := firstOf(h, wire.HeaderConnectionID)
	for key, lines := range h {
		for _, line := range lines {
			for _, element := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
				switch textproto.CanonicalMIMEHeaderKey(key) {
				case wire.HeaderRequestOrigin:
					host, _, _ := strings.Cut(strings.ToLower(element), ":")
					named = named || host == demoHost
				case wire.HeaderSignature:
					token = token || hmac.Equal([]byte(strings.ToLower(element)), []byte(signed(id)))
				}
			}
		}
	}
	return named && token
}

func FuzzHandleHTTP(f *testing.F) {
	f.Add(headerText(event(typeConnect)), []byte(`{"claims":{"sub":["alice"]},"subprotocols":["json.webpubsub.azure.v1"]}`))
	f.Add(headerText(event(typeConnect, "ce-subprotocol", "mqtt")), []byte(`{"mqtt":{"protocolVersion":5}}`))
	f.Add(headerText(event(typeConnected)), []byte(`{}`))
	f.Add(headerText(event(typeDisconnected)), []byte(`{"reason":"bye"}`))
	f.Add(headerText(event(typeGroupJoined)), []byte(`{"group":"room1"}`))
	f.Add(headerText(event(typeMessage, "Content-Type", "text/plain", "ce-connectionState", "cart=42")), []byte("hello"))
	f.Add(headerText(event("azure.webpubsub.user.refuse")), []byte("hello"))
	f.Add(headerText(event("azure.webpubsub.user.")), []byte("hello"))
	f.Add(headerText(event("azure.webpubsub.sys.later")), []byte("\x00"))
	f.Add(headerText(event("foo.bar")), []byte("{"))
	f.Add(headerText(event(typeMessage, "ce-signature", "sha256=deadbeef")), []byte("hello"))
	f.Add(headerText(event(typeMessage, "WebHook-Request-Origin", demoHost+".evil.test")), []byte("hello"))
	f.Add(headerText(without(event(typeMessage), "ce-hub")), []byte("hello"))
	f.Add("ce-TYPE: azure.webpubsub.user.x\nce-type: foo\nce-hub: h", []byte("hello"))
	f.Add(headerText(event(typeMessage, "Content-Encoding", "gzip")), []byte("hello"))

	const refusal = "authored"
	statuses := []int{200, 204, 400, 401, 403, 409, 415}
	f.Fuzz(func(t *testing.T, headerLines string, body []byte) {
		header := readHeader(headerLines)
		for name, v := range map[string]upstream.RequestValidator{
			"key": demoValidator(t), "open": upstream.InsecureSkipValidation(),
		} {
			h := silentHandler(v)
			handled := false
			h.HandleUserEvent("*", func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				handled = true
				return upstream.Binary(req.Data), nil
			})
			h.HandleUserEvent("refuse", func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				handled = true
				return nil, upstream.NewError(http.StatusConflict, refusal)
			})
			resp := h.HandleHTTP(t.Context(), header, body)
			status := resp.StatusCode
			switch {
			case !slices.Contains(statuses, status):
				t.Errorf("%s: got status %d", name, status)
			case name == "open" && (status == 401 || status == 403):
				t.Errorf("open: got status %d", status)
			case name == "key" && (status < 400 || status == 409 || handled) && !proven(header):
				t.Errorf("key: got status %d without a proof", status)
			case status == 200 && (!handled || !bytes.Equal(resp.Body, body)):
				t.Errorf("%s: got body %q, want the echo of %q", name, resp.Body, body)
			case status == 409 && string(resp.Body) != refusal:
				t.Errorf("%s: got body %q, want %q", name, resp.Body, refusal)
			case status != 200 && status != 409 && len(resp.Body) > 0:
				t.Errorf("%s: got status %d with body %q, want none", name, status, resp.Body)
			case status < 400 && missesRequired(header):
				t.Errorf("%s: got status %d without a required header", name, status)
			}
		}
	})
}

func missesRequired(h http.Header) bool {
	for _, name := range []string{wire.HeaderType, wire.HeaderHub, wire.HeaderConnectionID} {
		if first, _ := firstOf(h, name); first == "" {
			return true
		}
	}
	return false
}

// What a handler answers to connect is refused here, or it is an answer that
// the service reads as it was meant.
func FuzzConnectAnswer(f *testing.F) {
	f.Add("alice", false, "room1,room2", "webpubsub.sendToGroup", "a")
	f.Add("", true, "", "", "b")
	f.Add("", false, " ", "none", "")
	f.Add("", false, "none", "none", "")
	f.Add("a\r\nb", true, "a", "\x00", "c")
	f.Add("\v", false, "a", "a", "a")
	f.Add("\xff", false, "\xff", "\xff", "\xff")
	f.Fuzz(func(t *testing.T, userID string, noUser bool, groups, roles, subprotocol string) {
		given := &upstream.ConnectResponse{
			UserID: userID, NoUser: noUser, Subprotocol: subprotocol,
			Groups: elements(groups), Roles: elements(roles),
		}
		h := newHandler(t, nil)
		h.HandleConnect(func(context.Context, *upstream.ConnectRequest) (*upstream.ConnectResponse, error) { return given, nil })
		resp := h.HandleHTTP(t.Context(), event(typeConnect), []byte(`{"subprotocols":["a","b"]}`))
		switch resp.StatusCode {
		case http.StatusInternalServerError:
			if fine(given) || len(resp.Body) > 0 {
				t.Errorf("%+v: got 500 and body %q", given, resp.Body)
			}
			return
		case http.StatusNoContent:
			if userID != "" || noUser || len(given.Groups) > 0 || given.Roles != nil || subprotocol != "" || len(resp.Body) > 0 {
				t.Errorf("%+v: got 204", given)
			}
			return
		}
		got, err := wire.DecodeConnectAnswer(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || !fine(given) {
			t.Fatalf("%+v: got status %d and %s, which the service reads as %v, %v", given, resp.StatusCode, resp.Body, got, err)
		}
		want := &wire.ConnectAnswer{Roles: valid(given.Roles), Subprotocol: subprotocol}
		if len(given.Groups) > 0 {
			want.Groups = valid(given.Groups)
		}
		if userID != "" || noUser {
			want.UserID = new(valid([]string{userID})[0])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// elements splits a list; nothing is no list, and "none" an empty one.
func elements(list string) []string {
	switch list {
	case "":
		return nil
	case "none":
		return []string{}
	}
	return strings.Split(list, ",")
}

// fine reports whether the service takes an answer of a client that offers a
// and b.
func fine(r *upstream.ConnectResponse) bool {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	return !slices.ContainsFunc(r.Groups, blank) && !slices.ContainsFunc(r.Roles, blank) &&
		(r.UserID == "" || !r.NoUser && !blank(r.UserID)) && !strings.ContainsAny(r.UserID, "\r\n\x00") &&
		slices.Contains([]string{"", "a", "b"}, r.Subprotocol)
}

// valid returns texts as JSON carries them.
func valid(texts []string) []string {
	texts = slices.Clone(texts)
	for i, s := range texts {
		texts[i] = string([]rune(s))
	}
	return texts
}
