package upstreamtest

import (
	"bytes"
	"io"
	"net/http"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Fault makes a correct request deviate: [BadSignature], [NoSignature],
// [ForeignOrigin], [MissingHeader], [Oversize], [ChunkedBody], [TruncatedBody].
// Each says how a correct handler answers. Any other function of this form is
// a fault as well; for a delivery in duplicate see [Conn.Redeliver].
type Fault func(*http.Request)

// BadSignature signs with a key that nobody has. The answer is 401.
func BadSignature(r *http.Request) {
	id := wire.First(r.Header, wire.HeaderConnectionID)
	r.Header.Set(wire.HeaderSignature, wire.Sign(id, "not an access key of the service"))
}

// NoSignature leaves the signature out, as a service does whose access keys
// are turned off. The answer is 401.
func NoSignature(r *http.Request) { r.Header.Del(wire.HeaderSignature) }

// ForeignOrigin comes from a host of an attacker whose name starts with the
// right one. The answer is 403.
func ForeignOrigin(r *http.Request) {
	origins := wire.ParseOrigins(r.Header[wire.HeaderRequestOrigin])
	host := Origin
	if len(origins) > 0 {
		host = origins[0]
	}
	r.Header.Set(wire.HeaderRequestOrigin, host+".attacker.example")
}

// MissingHeader leaves a header out. The answer is 400 for ce-type, ce-hub,
// ce-connectionId and WebHook-Request-Origin, 401 for ce-signature; no other
// header is required.
func MissingHeader(name string) Fault {
	return func(r *http.Request) { r.Header.Del(name) }
}

// Oversize appends spaces to the body until it has n bytes; JSON stays valid.
// The answer is 413 when n is above the handler's limit.
func Oversize(n int) Fault {
	return func(r *http.Request) {
		body := readBody(r)
		setBody(r, append(body, bytes.Repeat([]byte(" "), max(0, n-len(body)))...))
	}
}

// ChunkedBody sends the body in chunks and does not announce its length. The
// answer is the same as without: a handler has to read to the end.
func ChunkedBody(r *http.Request) {
	body := readBody(r)
	half := len(body) / 2
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:half]), bytes.NewReader(body[half:])))
	r.GetBody = nil
	r.ContentLength = -1
	r.TransferEncoding = []string{"chunked"}
}

// TruncatedBody breaks the connection in the middle of the body. The answer is
// 400, and the event has no effect. It goes last among the faults of a request.
func TruncatedBody(r *http.Request) {
	body := readBody(r)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	r.GetBody = nil
	r.ContentLength = int64(max(1, len(body)))
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// setBody gives r a body of known length that a client can send twice.
func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.Body, r.GetBody = http.NoBody, nil
	if len(body) > 0 {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
	}
}

// readBody takes the body out of r. That of TruncatedBody is what there is.
func readBody(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	return body
}
