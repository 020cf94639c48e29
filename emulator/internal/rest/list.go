package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
)

const maxPageSize = 200

// memberPage is one page of the members of a group.
type memberPage struct {
	Value    []member `json:"value"`
	NextLink string   `json:"nextLink,omitempty"`
}

type member struct {
	ConnectionID string `json:"connectionId"`
	UserID       string `json:"userId,omitempty"`
}

// list answers with members of a group in the order of their connection ids:
// maxpagesize of them at most, and top of them on all pages together. A group
// that nobody is in has none.
func (h *handler) list(rq *request) (answer, error) {
	pageSize, err := rq.query.number("maxpagesize", 1, maxPageSize, maxPageSize)
	if err != nil {
		return answer{}, err
	}
	const unlimited = 0
	top, err := rq.query.number("top", 1, math.MaxInt32, unlimited)
	if err != nil {
		return answer{}, err
	}
	token, given, err := rq.query.one("continuationToken")
	if err != nil {
		return answer{}, err
	}
	var after string
	if given {
		var ok bool
		if after, ok = readContinuation(token, rq); !ok {
			return answer{}, badRequest("continuationToken", "Invalid continuationToken: want the one of a nextLink for the same group.")
		}
	}

	size := pageSize
	if top != unlimited {
		size = min(size, top)
	}
	// One more than fits tells whether there is a next page.
	reply, err := h.ask(rq, broker.Members{Group: rq.group, After: after, Limit: size + 1})
	if err != nil {
		return answer{}, err
	}
	more := len(reply.Members) > size
	page := memberPage{Value: []member{}}
	for _, m := range reply.Members[:min(size, len(reply.Members))] {
		page.Value = append(page.Value, member(m))
	}
	if more && top != size {
		next := url.Values{}
		next.Set("api-version", rq.version)
		next.Set("maxpagesize", strconv.Itoa(pageSize))
		next.Set("continuationToken", continuation(page.Value[size-1].ConnectionID, rq))
		if top != unlimited {
			next.Set("top", strconv.Itoa(top-size))
		}
		page.NextLink = rq.url() + "?" + next.Encode()
	}
	return answer{status: http.StatusOK, body: page}, nil
}

// url returns the absolute URL of the request without its query, as the caller
// wrote it.
func (rq *request) url() string {
	scheme := "http"
	if rq.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + rq.Host + rq.URL.EscapedPath()
}

// sumBytes is how much of a sum a continuation token has. The sum is no secret
// and protects nothing: it finds a token that was mixed up.
const sumBytes = 8

// continuation returns the token for the members behind a connection. Every
// server of the service can read it.
func continuation(after string, rq *request) string {
	sum := continuationSum(after, rq)
	return base64.RawURLEncoding.EncodeToString(append(sum[:sumBytes], after...))
}

// readContinuation returns the connection of a token for the same group.
func readContinuation(token string, rq *request) (after string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= sumBytes {
		return "", false
	}
	after = string(b[sumBytes:])
	sum := continuationSum(after, rq)
	return after, string(b[:sumBytes]) == string(sum[:sumBytes])
}

func continuationSum(after string, rq *request) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q", rq.hub, rq.group, after))
}
