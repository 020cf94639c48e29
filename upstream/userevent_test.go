package upstream_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/upstream"
)

func TestUserEventData(t *testing.T) {
	h := newHandler(t, nil)
	for _, tt := range []struct {
		contentType string
		want        upstream.DataType
	}{
		{"text/plain", upstream.DataTypeText},
		{"text/plain; charset=utf-8", upstream.DataTypeText},
		{"TEXT/Plain;charset=UTF-8", upstream.DataTypeText},
		{" text/plain ; x", upstream.DataTypeText},
		{"application/json", upstream.DataTypeJSON},
		{"Application/JSON; charset=utf-8", upstream.DataTypeJSON},
		{"application/octet-stream", upstream.DataTypeBinary},
		{"application/x-protobuf", upstream.DataTypeProtobuf},
		{"", upstream.DataTypeBinary},
		{"image/png", upstream.DataTypeOther},
		{"text/plainer", upstream.DataTypeOther},
		{"no media type at all", upstream.DataTypeOther},
	} {
		for _, body := range []string{"", "null", "\x00\xff bytes", `"text"`} {
			req, err := h.Parse(t.Context(), event(typeMessage, "Content-Type", tt.contentType), []byte(body))
			if err != nil {
				t.Errorf("%q %q: %v", tt.contentType, body, err)
				continue
			}
			got := req.(*upstream.UserEventRequest)
			if got.DataType != tt.want || got.ContentType != tt.contentType || string(got.Data) != body {
				t.Errorf("%q: got %s, %q, %q, want %s and the rest as sent", tt.contentType, got.DataType, got.ContentType, got.Data, tt.want)
			}
		}
	}
	req, err := h.Parse(t.Context(), without(event(typeMessage), "Content-Type"), []byte("x"))
	if err != nil || req.(*upstream.UserEventRequest).DataType != upstream.DataTypeBinary {
		t.Errorf("no content type: got %v, %v, want binary", req, err)
	}
}

// answerMessage is a handler that answers every user event in the same way.
func answerMessage(t *testing.T, opts *upstream.Options, resp *upstream.UserEventResponse, err error) *upstream.EventHandler {
	h := newHandler(t, opts)
	h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		return resp, err
	})
	return h
}

func TestUserEventAnswers(t *testing.T) {
	json, err := upstream.JSON(map[string]string{"a": "<b>&ü"})
	if err != nil {
		t.Fatal(err)
	}
	null, err := upstream.JSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	const text, binary = "text/plain; charset=utf-8", "application/octet-stream"
	for _, tt := range []struct {
		name        string
		resp        *upstream.UserEventResponse
		contentType string // empty: 204
		want        string
	}{
		{"nil", nil, "", ""},
		{"zero", &upstream.UserEventResponse{}, "", ""},
		{"empty text", upstream.Text(""), "", ""},
		{"empty binary", upstream.Binary([]byte{}), "", ""},
		{"empty, type not delivered", &upstream.UserEventResponse{ContentType: "image/png"}, "", ""},
		{"text", upstream.Text("grüße"), text, "grüße"},
		{"text of another charset", &upstream.UserEventResponse{Data: []byte("a"), ContentType: "text/plain; Charset=\"UTF-8\""}, text, "a"},
		{"text that is no UTF-8", upstream.Text("a\xffb"), text, "a\uFFFDb"},
		{"JSON", json, "application/json; charset=utf-8", `{"a":"<b>&ü"}`},
		{"JSON null", null, "application/json; charset=utf-8", "null"},
		{"binary", upstream.Binary([]byte{0, 0xff}), binary, "\x00\xff"},
		{"binary that is no UTF-8 is not repaired", &upstream.UserEventResponse{Data: []byte("\xff")}, binary, "\xff"},
		{"protobuf", upstream.Protobuf([]byte{1}), "application/x-protobuf", "\x01"},
		{"no content type", &upstream.UserEventResponse{Data: []byte("a")}, binary, "a"},
		{"odd spelling", &upstream.UserEventResponse{Data: []byte("a"), ContentType: "Application/Octet-Stream; x=y"}, binary, "a"},
		{"metadata alone", &upstream.UserEventResponse{Metadata: map[string]string{"k": "v"}}, binary, ""},
	} {
		w := post(answerMessage(t, nil, tt.resp, nil), event(typeMessage), "")
		status := http.StatusOK
		if tt.contentType == "" {
			status = http.StatusNoContent
		}
		if w.Code != status || w.Header().Get("Content-Type") != tt.contentType || w.Body.String() != tt.want {
			t.Errorf("%s: got %d %q %q, want %d %q %q", tt.name, w.Code, w.Header().Get("Content-Type"), w.Body, status, tt.contentType, tt.want)
		}
	}
}

func TestUserEventAuthoringErrors(t *testing.T) {
	long := func(n int) string { return strings.Repeat("k", n) }
	many := map[string]string{}
	for i := range 9 {
		many[fmt.Sprint("key", i)] = long(1000)
	}
	entry := func(k, v string) *upstream.UserEventResponse {
		return &upstream.UserEventResponse{Metadata: map[string]string{k: v}}
	}
	for _, tt := range []struct {
		name string
		resp *upstream.UserEventResponse
		says string // empty: it is fine
	}{
		{"content type", &upstream.UserEventResponse{Data: []byte("x"), ContentType: "image/png"}, "ContentType is \\\"image/png\\\""},
		{"malformed content type", &upstream.UserEventResponse{Data: []byte("x"), ContentType: "a b\r\nc"}, "ContentType is"},
		{"another charset", &upstream.UserEventResponse{Data: []byte("caf\xe9"), ContentType: "text/plain; charset=iso-8859-1"}, "text in UTF-8"},
		{"metadata with a comma", entry("k", "a,b"), "without commas"},
		{"too long", upstream.Binary(make([]byte, 16<<20+1)), "Data has 16777217 bytes"},
		{"as long as it may be", upstream.Binary(make([]byte, 16<<20)), ""},
		{"metadata", entry("Trace.1", "a b~"), ""},
		{"metadata key of 256", entry(long(256), ""), ""},
		{"metadata key of 257", entry(long(257), ""), "Metadata"},
		{"metadata without key", entry("", "v"), "Metadata"},
		{"metadata key with space", entry("a b", "v"), "Metadata"},
		{"metadata key with colon", entry("a:b", "v"), "Metadata"},
		{"metadata value of 1024", entry("k", long(1024)), ""},
		{"metadata value of 1025", entry("k", long(1025)), "Metadata"},
		{"metadata value outside ASCII", entry("k", "ü"), "Metadata"},
		{"metadata value with line break", entry("k", "a\r\nce-connectionState: x"), "Metadata"},
		{"metadata above 8 KiB", &upstream.UserEventResponse{Metadata: many}, "Metadata"},
	} {
		var sink logSink
		w := post(answerMessage(t, &upstream.Options{Logger: sink.logger()}, tt.resp, nil), event(typeMessage), "")
		switch {
		case tt.says == "" && w.Code != 200:
			t.Errorf("%s: got %d, want 200: %s", tt.name, w.Code, sink.String())
		case tt.says != "" && (w.Code != 500 || w.Body.Len() > 0 || len(w.Header()) > 0):
			t.Errorf("%s: got %d %v %q, want a bare 500", tt.name, w.Code, w.Header(), w.Body)
		case tt.says != "" && !strings.Contains(sink.String(), tt.says):
			t.Errorf("%s: the log does not say %s: %s", tt.name, tt.says, sink.String())
		}
	}
	if _, err := upstream.JSON(func() {}); err == nil {
		t.Error("JSON of a function: no error")
	}
}

func TestMetadata(t *testing.T) {
	header := event(typeMessage, "X-WebPubSub-Metadata-Trace", "t1", "x-webpubsub-metadata-empty", "")
	header["X-Webpubsub-Metadata-Twice"] = []string{"a", "b"}
	h := newHandler(t, nil)
	h.HandleUserMessage(func(_ context.Context, req *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
		if want := (map[string]string{"trace": "t1", "empty": "", "twice": "b"}); !maps.Equal(req.Metadata, want) {
			t.Errorf("got %v, want %v", req.Metadata, want)
		}
		resp := upstream.Text("x")
		resp.Metadata = req.Metadata
		return resp, nil
	})
	w := post(h, header, "")
	for name, want := range map[string]string{"Trace": "t1", "Empty": "", "Twice": "b"} {
		if got := w.Header().Values("X-WebPubSub-Metadata-" + name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	req, err := h.Parse(t.Context(), event(typeMessage), nil)
	if err != nil || req.(*upstream.UserEventRequest).Metadata != nil {
		t.Errorf("no metadata: got %v, %v", req, err)
	}
}

func TestUserEventAnswerCarriesStateAndCookies(t *testing.T) {
	for _, data := range []string{"", "x"} {
		resp := upstream.Text(data)
		if err := resp.SetState("key", "a"); err != nil {
			t.Fatal(err)
		}
		resp.Cookies = []*http.Cookie{{Name: "sid", Value: "1"}}
		w := post(answerMessage(t, nil, resp, nil), event(typeMessage), "")
		if w.Header().Get("ce-connectionState") != "eyJrZXkiOiJhIn0=" || w.Header().Get("Set-Cookie") != "sid=1" {
			t.Errorf("data %q: got %d %v", data, w.Code, w.Header())
		}
		w = post(answerMessage(t, nil, resp, upstream.NewError(403, "no")), event(typeMessage), "")
		if w.Header().Get("ce-connectionState") != "" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("a refusal carries state or cookies: %v", w.Header())
		}
	}
}

func TestTyped(t *testing.T) {
	type vote struct{ Option int }
	type tally struct{ Total int }
	h := newHandler(t, nil)
	h.HandleUserEvent("vote", upstream.Typed(func(_ context.Context, _ *upstream.UserEventRequest, v vote) (*tally, error) {
		switch v.Option {
		case 0:
			return nil, nil
		case 9:
			return &tally{}, upstream.NewError(409, "closed")
		}
		return &tally{v.Option * 2}, nil
	}))
	for _, tt := range []struct {
		data   string
		status int
		want   string
	}{
		{`{"option":2}`, 200, `{"Total":4}`},
		{`{}`, 204, ""},
		{`null`, 204, ""},
		{`{"option":9}`, 409, "closed"},
		{`{"option":"secret"}`, 400, ""},
		{`secret`, 400, ""},
		{``, 400, ""},
	} {
		w := post(h, event("azure.webpubsub.user.vote", "Content-Type", "text/plain"), tt.data)
		if w.Code != tt.status || w.Body.String() != tt.want {
			t.Errorf("%s: got %d %q, want %d %q", tt.data, w.Code, w.Body, tt.status, tt.want)
		}
	}
}
