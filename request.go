package webpubsub

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// An operation is a call of the REST API.
type operation struct {
	name string // that of the method of Client
	args error  // what is wrong with its arguments

	method string
	path   string // escaped
	query  query  // empty means the version of the API only
	header http.Header
	body   []byte

	want   int  // the status of success
	orNot  bool // 404 is an answer too, it says no
	limit  int  // how many bytes the answer may have; 0 means that it has none of interest
	repeat bool // doing it twice does what doing it once does
}

// An answer is what came back from an operation that did not fail.
type answer struct {
	status int
	body   []byte
}

// A fate is what is known about a request that failed.
type fate int

const (
	final   fate = iota // it would fail again
	refused             // the service has surely not acted
	unknown             // the service may have acted
)

// newQuery returns the query that every operation has.
func newQuery() query { return query("").with("api-version", apiVersion) }

// run performs an operation that says nothing in return.
func (c *Client) run(ctx context.Context, op *operation) error {
	_, err := c.do(ctx, op)
	return err
}

// ask performs an operation that says yes or no.
func (c *Client) ask(ctx context.Context, op *operation) (bool, error) {
	a, err := c.do(ctx, op)
	return err == nil && a.status == op.want, err
}

// do performs an operation, with as many requests as it needs and may take.
func (c *Client) do(ctx context.Context, op *operation) (*answer, error) {
	if op.args != nil {
		return nil, fmt.Errorf("webpubsub: %s: %w", op.name, op.args)
	}
	id := cmp.Or(wire.RequestID(ctx), wire.NewRequestID())
	for repeats := 0; ; repeats++ {
		a, fate, err := c.attempt(ctx, op, id)
		if err == nil {
			return a, nil
		}
		err = fmt.Errorf("webpubsub: %s: %w", op.name, err)
		if fate == final || fate == unknown && !op.repeat || repeats >= c.maxRetries {
			return nil, err
		}
		delay := c.delay(repeats)
		if e, ok := errors.AsType[*Error](err); ok {
			delay = max(delay, e.RetryAfter)
		}
		deadline, ok := ctx.Deadline()
		if delay > c.maxRetryDelay || ok && time.Until(deadline) <= delay {
			return nil, err // waiting would be in vain
		}
		c.log.LogAttrs(ctx, slog.LevelWarn, "webpubsub: a request failed and is sent again",
			slog.String("operation", op.name), slog.Int("attempt", repeats+1),
			slog.Duration("delay", delay), slog.String("error", err.Error()))
		if stopped := sleep(ctx, delay); stopped != nil {
			return nil, fmt.Errorf("%w; it was about to be sent again: %w", err, stopped)
		}
	}
}

// attempt sends one request and reads the answer.
func (c *Client) attempt(ctx context.Context, op *operation, id string) (*answer, fate, error) {
	target := op.path + "?" + string(cmp.Or(op.query, newQuery()))
	token, err := c.bearer(ctx, c.endpoint+target)
	if err != nil {
		return nil, final, err
	}
	req, err := http.NewRequestWithContext(ctx, op.method, c.base+target, bytes.NewReader(op.body))
	if err != nil {
		return nil, final, withoutURL(err)
	}
	maps.Copy(req.Header, op.header)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", wire.MediaJSON)
	req.Header.Set("User-Agent", "gowebpubsub")
	req.Header.Set(wire.HeaderClientRequestID, id)

	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fateOf(ctx, err), withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != op.want && !(op.orNot && resp.StatusCode == http.StatusNotFound) {
		return nil, fateOfStatus(resp), newError(resp, token, id)
	}
	body, err := readUpTo(resp.Body, max(op.limit, drained))
	switch {
	case op.limit == 0:
		return &answer{status: resp.StatusCode}, final, nil // the status has said it all
	case err != nil:
		return nil, unknown, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > op.limit:
		return nil, final, fmt.Errorf("the answer has more than %d bytes", op.limit)
	}
	return &answer{status: resp.StatusCode, body: body}, final, nil
}

// drained is how much of an unwanted body is read, so that the connection can
// be used again.
const drained = 16 << 10

// readUpTo reads up to one byte more than max.
func readUpTo(r io.Reader, max int) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, int64(max)+1))
}

// fateOf tells the fate of a request that got no answer.
func fateOf(ctx context.Context, err error) fate {
	if ctx.Err() != nil {
		return final
	}
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return refused
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return final
	}
	return unknown
}

// fateOfStatus tells the fate of a request that got an answer. A 503 with
// Retry-After is a deliberate refusal; without, it may be a proxy's word for a
// connection that it lost halfway.
func fateOfStatus(resp *http.Response) fate {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return refused
	case http.StatusServiceUnavailable:
		if _, ok := retryAfter(resp); ok {
			return refused
		}
		return unknown
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return unknown
	}
	return final
}

// delay returns how long to wait after so many repetitions: twice as long each
// time, less a random part, so that clients that failed together do not come
// back together.
func (c *Client) delay(repeats int) time.Duration {
	delay := c.retryDelay
	for range repeats {
		if delay >= c.maxRetryDelay {
			break
		}
		delay *= 2
	}
	delay = min(delay, c.maxRetryDelay)
	return delay - mathrand.N(delay/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withoutURL takes the URL out of an error of net/http: its query has names and
// filters, which are nobody's business in a log.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
