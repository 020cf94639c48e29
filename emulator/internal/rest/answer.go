package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An answer is what a request is answered with.
type answer struct {
	status int
	body   any // encoded as JSON; nil for none
}

// The answers without a body.
var (
	done     = answer{status: http.StatusOK}
	accepted = answer{status: http.StatusAccepted}
	gone     = answer{status: http.StatusNoContent}
)

// errorBody is the body of an error, byte for byte as the service writes it.
// The TypeSpec calls the last member inner.
type errorBody struct {
	Code       string    `json:"code"`
	Message    string    `json:"message"`
	Target     string    `json:"target"`
	Details    *struct{} `json:"details"`
	InnerError *struct{} `json:"innererror"`
}

// refuse turns an error into an answer, sets its headers and writes the line of
// the log.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) answer {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = &failure{
			status: http.StatusInternalServerError, code: codeInternal, level: slog.LevelError,
			message: "The service could not carry the request out.", target: "Service", cause: err,
		}
		if r.Context().Err() != nil {
			f.level = slog.LevelDebug // the caller has left
		}
	}
	h.log.LogAttrs(r.Context(), f.level, "REST request answered with an error",
		slog.String("method", r.Method),
		slog.String("path", clip(r.URL.EscapedPath())),
		slog.Int("status", f.status),
		slog.String("code", f.code),
		slog.String("err", clip(f.Error())))
	w.Header().Set(headerErrorCode, f.code)
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if f.allow != nil {
		w.Header().Set("Allow", strings.Join(f.allow, ", "))
	}
	return answer{status: f.status, body: errorBody{Code: f.code, Message: f.message, Target: f.target}}
}

// write sends the answer; to HEAD, without a body.
func (a answer) write(w http.ResponseWriter, method string) {
	if a.body == nil || method == http.MethodHead {
		w.WriteHeader(a.status)
		return
	}
	body, err := wire.Marshal(a.body)
	if err != nil {
		panic(fmt.Sprintf("rest: answer %T: %v", a.body, err)) // strings, always
	}
	w.Header().Set(wire.HeaderContentType, wire.ContentTypeJSON)
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // an error means that nobody is left to tell
}

// clip shortens what a caller chose before it goes into the log.
func clip(s string) string {
	const limit = 500
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
