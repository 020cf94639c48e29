package peers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// A handwritten handler is one on net/http alone. It does all as it should when
// it compares signatures so.
type handwritten struct {
	compare func(token, want string) bool
}

func sameSignature(token, want string) bool { return hmac.Equal([]byte(token), []byte(want)) }

func (h handwritten) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodOptions, http.MethodGet:
		for origin := range strings.SplitSeq(r.Header.Get("WebHook-Request-Origin"), ",") {
			if origin = strings.TrimSpace(origin); strings.EqualFold(origin, "localhost") {
				w.Header().Add("WebHook-Allowed-Origin", origin)
			}
		}
		if w.Header().Get("WebHook-Allowed-Origin") == "" {
			w.WriteHeader(http.StatusForbidden)
		}
	case http.MethodPost:
		h.event(w, r)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (h handwritten) event(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("ce-hub") == "" || r.Header.Get("ce-type") == "" || r.Header.Get("ce-connectionId") == "" {
		http.Error(w, "no event", http.StatusBadRequest)
		return
	}
	if !isOurs(r.Header.Get("WebHook-Request-Origin")) {
		http.Error(w, "not our service", http.StatusForbidden)
		return
	}
	if !h.isSigned(r) {
		http.Error(w, "not signed", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	switch r.Header.Get("ce-type") {
	case "azure.webpubsub.sys.connect":
		connect(w, r, body)
	case "azure.webpubsub.user.message":
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = w.Write(body)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func isOurs(origins string) bool {
	for origin := range strings.SplitSeq(origins, ",") {
		if strings.EqualFold(strings.TrimSpace(origin), "localhost") {
			return true
		}
	}
	return false
}

func (h handwritten) isSigned(r *http.Request) bool {
	mac := hmac.New(sha256.New, []byte(upstreamtest.AccessKey))
	_, _ = io.WriteString(mac, r.Header.Get("ce-connectionId"))
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	for token := range strings.SplitSeq(r.Header.Get("ce-signature"), ",") {
		if h.compare(strings.ToLower(strings.TrimSpace(token)), want) {
			return true
		}
	}
	return false
}

func connect(w http.ResponseWriter, r *http.Request, body []byte) {
	var client struct {
		Subprotocols []string `json:"subprotocols"`
	}
	if err := json.Unmarshal(body, &client); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	var answer struct {
		UserID      string   `json:"userId,omitempty"`
		Groups      []string `json:"groups"`
		Subprotocol string   `json:"subprotocol,omitempty"`
	}
	answer.UserID, answer.Groups = r.Header.Get("ce-userId"), []string{"lobby"}
	for _, name := range client.Subprotocols {
		if name == "json.webpubsub.azure.v1" {
			answer.Subprotocol = name
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // strings all of them
}

func TestNetHTTP(t *testing.T) {
	right := handwritten{sameSignature}
	elsewhere := http.NewServeMux()
	elsewhere.Handle("/eventhandler/", right)
	exact := http.NewServeMux()
	exact.Handle("/eventhandler", right)
	for _, tt := range []struct {
		name           string
		handler        http.Handler
		musts, shoulds []string
	}{
		{name: "right", handler: right},
		{name: "right at one path", handler: exact},
		{
			name:    "beginning of the signature",
			handler: handwritten{func(token, want string) bool { return strings.HasPrefix(want, token) }},
			musts:   []string{"signature/missing", "signature/partial"}, // nothing is the beginning of all
		},
		{
			// The mux knows the path with a slash at its end only, and leads there.
			name:    "slash",
			handler: elsewhere,
			musts:   []string{"handshake/consent", "connect/answer", "event/answer"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			t.Cleanup(server.Close)
			wantFails(t, judge(t, server.URL+"/eventhandler", check.Options{UserID: "alice"}), tt.musts, tt.shoulds)
		})
	}
}
