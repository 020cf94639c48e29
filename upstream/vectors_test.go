package upstream_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/vectors"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
)

// keyValidator accepts events of demoHost with these keys.
func keyValidator(t testing.TB, keys ...string) *upstream.AccessKeyValidator {
	t.Helper()
	var connectionStrings []string
	for _, key := range keys {
		connectionStrings = append(connectionStrings, "Endpoint=https://"+demoHost+";AccessKey="+key+";Version=1.0;")
	}
	v, err := upstream.NewAccessKeyValidator(connectionStrings...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// silentHandler is newHandler with another validator.
func silentHandler(v upstream.RequestValidator) *upstream.EventHandler {
	return upstream.NewEventHandler(v, &upstream.Options{Logger: slog.New(slog.DiscardHandler)})
}

// wantSameJSON compares by meaning.
func wantSameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("got %q: %v", got, err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatalf("want %q: %v", want, err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// inConnectionString reports whether a connection string can hold these keys:
// it has no room for empty ones and for outer white space.
func inConnectionString(keys []string) bool {
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k string) bool { return k == "" || k != strings.TrimSpace(k) })
}

func TestVectorsSignatures(t *testing.T) {
	ran := 0
	for _, tt := range vectors.Load().Signatures.Cases {
		if !inConnectionString(tt.Keys) {
			continue // package wire runs it
		}
		ran++
		t.Run(tt.ID, func(t *testing.T) {
			v := keyValidator(t, tt.Keys...)
			err := v.Validate(t.Context(), &upstream.ConnectionContext{
				ConnectionID: tt.ConnectionID,
				Signature:    strings.Join(tt.Header, ","),
				Origins:      []string{demoHost},
			})
			if got, want := err == nil, tt.Valid; got != want {
				t.Errorf("Validate: got %v, want valid = %v", err, want)
			}

			h := silentHandler(v)
			called := false
			h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				called = true
				return nil, nil
			})
			header := event(typeMessage)
			header[wire.HeaderConnectionID] = []string{tt.ConnectionID}
			header[wire.HeaderSignature] = tt.Header
			want := http.StatusUnauthorized
			switch {
			case tt.Valid:
				want = http.StatusNoContent
			case tt.ConnectionID == "":
				want = http.StatusBadRequest
			}
			resp := h.HandleHTTP(t.Context(), header, []byte("hello"))
			if resp.StatusCode != want || called != tt.Valid || len(resp.Body) != 0 {
				t.Errorf("HandleHTTP: got status %d, body %q, handler called = %v, want %d, none, %v",
					resp.StatusCode, resp.Body, called, want, tt.Valid)
			}
		})
	}
	if got, want := len(vectors.Load().Signatures.Cases)-ran, 3; got != want {
		t.Errorf("%d cases do not fit into connection strings, want %d", got, want)
	}
}

func TestVectorsConnectionStrings(t *testing.T) {
	for _, tt := range vectors.Load().ConnectionStrings.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			v, err := upstream.NewAccessKeyValidator(tt.Input)
			if !tt.OK {
				if err == nil {
					t.Fatalf("got %v, want an error", v)
				}
				wantNoneOf(t, err.Error(), valuesOf(tt.Input))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !v.AllowsOrigin(tt.Host) {
				t.Errorf("AllowsOrigin(%q) = false", tt.Host)
			}
			c := &upstream.ConnectionContext{ConnectionID: "conn1", Signature: wire.Sign("conn1", tt.AccessKey), Origins: []string{tt.Host}}
			if err := v.Validate(t.Context(), c); err != nil {
				t.Errorf("signed with %q: %v", tt.AccessKey, err)
			}
		})
	}
}

// valuesOf returns the texts of a connection string that an error must not
// repeat. Short ones are words of any sentence.
func valuesOf(connectionString string) []string {
	found := map[string]bool{}
	for segment := range strings.SplitSeq(connectionString, ";") {
		_, value, _ := strings.Cut(segment, "=")
		if value = strings.Trim(value, ` "`); len(value) > 2 {
			found[value] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func wantNoneOf(t *testing.T, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q shows %q", text, s)
		}
	}
}

func TestVectorsMediaTypes(t *testing.T) {
	for _, tt := range vectors.Load().MediaTypes.Request.Cases {
		t.Run(tt.ID, func(t *testing.T) {
			header := without(event(typeMessage), wire.HeaderContentType)
			contentType := ""
			if tt.ContentType != nil {
				contentType = *tt.ContentType
				header[wire.HeaderContentType] = []string{contentType}
			}
			req, err := newHandler(t, nil).Parse(t.Context(), header, []byte("data"))
			if err != nil {
				t.Fatal(err)
			}
			got := req.(*upstream.UserEventRequest)
			if string(got.DataType) != tt.DataType {
				t.Errorf("content type %q: got data type %q, want %q", contentType, got.DataType, tt.DataType)
			}
			if got.ContentType != contentType || string(got.Data) != "data" {
				t.Errorf("got content type %q and data %q, want them as received", got.ContentType, got.Data)
			}
		})
	}
}

func TestVectorsReplies(t *testing.T) {
	asJSON, err := upstream.JSON("hi")
	if err != nil {
		t.Fatal(err)
	}
	replies := map[string]*upstream.UserEventResponse{
		"text":     upstream.Text("hi"),
		"json":     asJSON,
		"binary":   upstream.Binary([]byte("hi")),
		"protobuf": upstream.Protobuf([]byte("hi")),
		"none":     upstream.Text(""),
	}
	for _, tt := range vectors.Load().MediaTypes.Response.Cases {
		dataType := "none"
		if tt.DataType != nil {
			dataType = *tt.DataType
		}
		t.Run(dataType, func(t *testing.T) {
			h := newHandler(t, nil)
			h.HandleUserMessage(func(context.Context, *upstream.UserEventRequest) (*upstream.UserEventResponse, error) {
				return replies[dataType], nil
			})
			resp := h.HandleHTTP(t.Context(), event(typeMessage), nil)
			var want []string
			if tt.ContentType != nil {
				want = []string{*tt.ContentType}
			}
			if got := resp.Header[wire.HeaderContentType]; resp.StatusCode != tt.Status || !slices.Equal(got, want) {
				t.Errorf("got status %d and content type %q, want %d and %q", resp.StatusCode, got, tt.Status, want)
			}
		})
	}
}
