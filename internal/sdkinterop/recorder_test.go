package sdkinterop

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

const accessKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

// A request is what is compared of a request.
type request struct {
	Line   string // the method and the path, escaped as it came
	Query  string // the parameters, decoded and sorted, joined by " & "
	Type   string // Content-Type
	Body   string
	Claims string // the names of the token's claims, sorted
	Aud    string // "URL" when it is that of the request
}

// A recorder is a service that notes what it is asked, and gives the answer of
// a success, or the one that it was told to give.
type recorder struct {
	url string

	mu       sync.Mutex
	requests []request        // guarded by mu
	lives    []float64        // of the tokens in seconds, guarded by mu
	answer   http.HandlerFunc // guarded by mu; nil means success
}

func startRecorder(t *testing.T) *recorder {
	r := &recorder{}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *recorder) connectionString() string {
	return "Endpoint=" + r.url + ";AccessKey=" + accessKey + ";Version=1.0;"
}

// take returns what was noted since the last time.
func (r *recorder) take() (requests []request, lives []float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests, lives = r.requests, r.lives
	r.requests, r.lives = nil, nil
	return requests, lives
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	noted := request{
		Line:  req.Method + " " + req.URL.EscapedPath(),
		Query: sortedQuery(req.URL.RawQuery),
		Type:  req.Header.Get("Content-Type"),
		Body:  string(body),
	}
	claims := tokenClaims(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	noted.Claims = strings.Join(slices.Sorted(maps.Keys(claims)), " ")
	if noted.Aud, _ = claims["aud"].(string); noted.Aud == r.url+req.RequestURI {
		noted.Aud = "URL"
	}
	r.mu.Lock()
	r.requests = append(r.requests, noted)
	r.lives = append(r.lives, lifetime(claims))
	answer := r.answer
	r.mu.Unlock()
	if answer == nil {
		answer = r.succeed
	}
	answer(w, req)
}

// succeed gives the answer of a success.
func (r *recorder) succeed(w http.ResponseWriter, req *http.Request) {
	path := req.URL.Path
	action := path[strings.LastIndex(path, "/")+1:]
	switch {
	case action == ":send":
		w.WriteHeader(http.StatusAccepted)
	case action == ":closeConnections", req.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	case action == ":generateToken":
		writeJSON(w, map[string]any{"token": "a.b.c"})
	case req.Method == http.MethodGet && req.URL.Query().Get("continuationToken") == "":
		writeJSON(w, map[string]any{
			"value":    []any{map[string]any{"connectionId": "c1", "userId": "bob"}, map[string]any{"connectionId": "c2"}},
			"nextLink": r.url + req.URL.EscapedPath() + "?api-version=2024-12-01&maxpagesize=2&continuationToken=p%2B2",
		})
	case req.Method == http.MethodGet:
		writeJSON(w, map[string]any{"value": []any{map[string]any{"connectionId": "c3"}}})
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func sortedQuery(raw string) string {
	var params []string
	for param := range strings.SplitSeq(raw, "&") {
		decoded, err := url.QueryUnescape(param)
		if err != nil {
			decoded = "malformed " + param
		}
		params = append(params, decoded)
	}
	slices.Sort(params)
	return strings.Join(params, " & ")
}

// tokenClaims reads the claims of a token without looking at its signature;
// nil when it is none.
func tokenClaims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims map[string]any
	_ = json.Unmarshal(payload, &claims)
	return claims
}

func lifetime(claims map[string]any) float64 {
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	return expires - issued
}
