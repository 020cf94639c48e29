package inspector

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A detail is all that is known of an exchange.
type detail struct {
	Summary     *summary `json:"summary"`
	Request     request  `json:"request"`
	Answer      *answer  `json:"answer,omitempty"`
	StateBefore *state   `json:"stateBefore,omitempty"`
	StateAfter  *state   `json:"stateAfter,omitempty"`
	Calls       []call   `json:"calls,omitempty"`
	Curl        string   `json:"curl,omitempty"`
}

// A request without a method is that of an event that could not be sent.
type request struct {
	Method  string      `json:"method,omitempty"`
	URL     string      `json:"url,omitempty"`
	Headers [][2]string `json:"headers"`
	Body    body        `json:"body"`
}

type answer struct {
	Status     int         `json:"status"`
	StatusText string      `json:"statusText,omitempty"`
	Headers    [][2]string `json:"headers"`
	Body       body        `json:"body"`
}

// A call is one that an event led to.
type call struct {
	Summary *summary `json:"summary"`
	Body    body     `json:"body"`
}

func (n namer) detail(r row, calls []row) *detail {
	x := r.x
	d := &detail{
		Summary: n.summary(r),
		Request: request{
			Method: x.Method, URL: x.URL, Headers: headers(x.Header), Body: newBody(x.Body, x.bodyBytes),
		},
		StateBefore: newState(x.StateBefore),
		StateAfter:  newState(x.StateAfter),
	}
	if x.Kind == emulator.CallExchange {
		d.Request.URL = n.endpoint + x.URL
	} else if x.Method != "" {
		d.Curl = curl(x)
	}
	if x.Done && x.Status != 0 {
		d.Answer = &answer{
			Status: x.Status, StatusText: http.StatusText(x.Status),
			Headers: headers(x.AnswerHeader), Body: newBody(x.Answer, x.answerBytes),
		}
	}
	for _, c := range calls {
		d.Calls = append(d.Calls, call{n.summary(c), newBody(c.x.Body, c.x.bodyBytes)})
	}
	return d
}

// headerOrder is the order of the headers of an event.
var headerOrder = []string{
	wire.HeaderSpecVersion, wire.HeaderAWPSVersion, wire.HeaderType, wire.HeaderEventName,
	wire.HeaderSource, wire.HeaderID, wire.HeaderTime, wire.HeaderHub,
	wire.HeaderConnectionID, wire.HeaderPhysicalConnectionID, wire.HeaderSessionID, wire.HeaderUserID,
	wire.HeaderSubprotocol, wire.HeaderSignature, wire.HeaderConnectionState,
}

// headers returns headers in the spelling of the documents: first those of the
// event, in order, then the rest by name.
func headers(h http.Header) [][2]string {
	lines := make([][2]string, 0, len(h))
	for name := range h {
		if !isSent(h, name) {
			continue
		}
		for _, value := range h[name] {
			lines = append(lines, [2]string{name, value})
		}
	}
	slices.SortStableFunc(lines, func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(headerRank(a[0]), headerRank(b[0])), cmp.Compare(a[0], b[0]))
	})
	for i := range lines {
		lines[i][0] = wire.OnWire(lines[i][0])
	}
	return lines
}

func headerRank(name string) int {
	if rank := slices.Index(headerOrder, name); rank >= 0 {
		return rank
	}
	if strings.HasPrefix(name, "Ce-") {
		return len(headerOrder)
	}
	return len(headerOrder) + 1
}

// isSent reports whether a header travels: an empty User-Agent is how net/http
// is told to send none.
func isSent(h http.Header, name string) bool {
	return name != "User-Agent" || strings.Join(h[name], "") != ""
}
