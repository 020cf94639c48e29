package emulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// inspectCalls shows the calls of the data plane that next answers.
func (s *Server) inspectCalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(r.URL.Path, "/api/hubs/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		hub, _, _ := strings.Cut(path, "/")
		x := Exchange{
			ID: s.exchanges.Add(1), Kind: CallExchange, Start: time.Now(), Hub: strings.ToLower(hub),
			RequestID: wire.First(r.Header, wire.HeaderClientRequestID),
			Method:    r.Method, URL: r.URL.RequestURI(), Header: r.Header.Clone(), Attempts: 1,
		}
		x.Header.Del("Authorization")
		s.inspect(x)
		body := &callBody{ReadCloser: r.Body}
		answer := &callAnswer{ResponseWriter: w, status: http.StatusOK}
		called := &call{}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, called))
		r.Body = body
		defer func() {
			x.Done, x.Duration, x.Body = true, time.Since(x.Start), body.read.Bytes()
			x.Status, x.AnswerHeader, x.Answer = answer.status, w.Header().Clone(), answer.body.Bytes()
			x.Recipients = called.recipients
			s.inspect(x)
		}()
		next.ServeHTTP(answer, r)
	})
}

// A callBody keeps what is read of a request. The handler limits that.
type callBody struct {
	io.ReadCloser
	read bytes.Buffer
}

func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Write(p[:n])
	return n, err
}

// A callAnswer keeps what is answered. Answers of the data plane are short.
type callAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements [http.ResponseWriter].
func (a *callAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (a *callAnswer) Write(p []byte) (int, error) {
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (a *callAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// A call is what is known of a call besides request and answer.
type call struct{ recipients int }

type callKey struct{}

// counting is the broker of calls that are inspected: it notes how many
// connections each was about. To know that it asks where others tell: with
// several servers, a call takes longer while somebody looks.
type counting struct{ broker.Broker }

// Publish implements [broker.Broker].
func (b counting) Publish(ctx context.Context, hub string, c broker.Command) error {
	_, err := b.Ask(ctx, hub, c)
	return err
}

// Ask implements [broker.Broker].
func (b counting) Ask(ctx context.Context, hub string, c broker.Command) (broker.Reply, error) {
	reply, err := b.Broker.Ask(ctx, hub, c)
	if called, ok := ctx.Value(callKey{}).(*call); ok {
		called.recipients += reply.Count
	}
	return reply, err
}
