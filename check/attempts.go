package check

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// An attempt is a request that no right service would have sent.
type attempt struct {
	what   string // is wrong with it
	event  func(*session) upstreamtest.Event
	faults []upstreamtest.Fault

	connects bool // it is of a client that connects

	// genuine attempts are signed: what is wrong with them is what a client
	// wrote, which the service hands on.
	genuine bool
}

// forge returns an attempt of somebody who has no key: connect, which every
// handler looks at, with faults.
func forge(what string, faults ...upstreamtest.Fault) attempt {
	return attempt{
		what:   what,
		event:  func(s *session) upstreamtest.Event { return s.connectEvent(s.newTalk()) },
		faults: append([]upstreamtest.Fault{upstreamtest.BadSignature}, faults...),
	}
}

// enter returns an attempt of a client that connects.
func enter(what string, change func(*upstreamtest.ConnectData)) attempt {
	event := func(s *session) upstreamtest.Event {
		ev := s.connectEvent(s.newTalk())
		change(ev.Connect)
		return ev
	}
	return attempt{what: what, event: event, connects: true, genuine: true}
}

// say returns an attempt of a client that is connected.
func say(what string, data upstreamtest.Data) attempt {
	event := func(s *session) upstreamtest.Event {
		ev := s.userEvent(s.found.talk, s.found.userEvent())
		ev.Data = data
		return ev
	}
	return attempt{what: what, event: event, genuine: true}
}

func sayJSON(what, body string) attempt {
	return say(what, upstreamtest.JSON(json.RawMessage(body)))
}

// try makes an attempt.
func (s *session) try(x attempt) *answer { return s.attack(x.event(s), x.faults...) }

var brokenJSON = []attempt{
	forge("JSON that ends early", withBody(`{"claims":{"sub":["`)),
	forge("an array instead of an object", withBody(`[{"claims":{}}]`)),
	forge("a text instead of an object", withBody(`"connect"`)),
	forge("members of the wrong types", withBody(`{"claims":7,"query":"a=b","headers":[1],"subprotocols":{"0":null},"clientCertificates":"none"}`)),
	forge("an empty body", withBody("")),
}

var noEvents = []attempt{
	forge("JSON without any header of an event", noEvent("application/json"), withBody(`{"hello":"world"}`)),
	forge("a form", noEvent("application/x-www-form-urlencoded"), withBody("name=admin&password=admin")),
	forge("no header and no body", noEvent(""), withBody("")),
}

var oddHeaders = []attempt{
	forge("empty headers", func(r *http.Request) {
		for _, name := range []string{
			wire.HeaderRequestOrigin, wire.HeaderType, wire.HeaderEventName, wire.HeaderHub, wire.HeaderConnectionID, wire.HeaderSignature, wire.HeaderID, wire.HeaderTime, wire.HeaderContentType,
		} {
			r.Header[name] = []string{""}
		}
	}),
	forge("headers of which each is there twice", func(r *http.Request) {
		for name, values := range r.Header {
			r.Header[name] = append(values, "other "+values[0])
		}
	}),
	forge("headers with malformed values", withHeader(
		wire.HeaderType, "azure.webpubsub.",
		wire.HeaderSignature, "sha256=,=,,sha256=zz,md5",
		wire.HeaderConnectionState, "%%%=not base64",
		wire.HeaderID, "-1e999",
		wire.HeaderTime, "yesterday",
		wire.HeaderAWPSVersion, "one",
		wire.HeaderRequestOrigin, ",;http://[::1",
	)),
	forge("a charset that does not exist", withHeader(wire.HeaderContentType, "application/json; charset=no-such-charset")),
	forge("headers that are no UTF-8", withHeader(
		wire.HeaderType, "azure.webpubsub.user.\xff\xfe",
		wire.HeaderEventName, "\xff\xfe",
		wire.HeaderUserID, "\xc3\x28",
		wire.HeaderHub, "\x80",
	)),
}

var largeHeaders = []attempt{
	forge("values of 8 KiB", withHeader(wire.HeaderUserID, strings.Repeat("u", 8<<10), wire.HeaderConnectionState, strings.Repeat("A", 8<<10))),
	forge("300 headers", func(r *http.Request) {
		for i := range 300 {
			r.Header[fmt.Sprintf("X-Check-%d", i)] = []string{"many"}
		}
	}),
}

var oddData = []attempt{
	sayJSON("JSON with NUL in a text", `{"text":"a\u0000b"}`),
	sayJSON("JSON with half of a surrogate pair", `{"text":"\ud800"}`),
	sayJSON("JSON with numbers out of range", `{"number":1e999,"integer":`+strings.Repeat("9", 400)+`}`),
	sayJSON("JSON with one name twice", `{"text":"a","text":{"b":[]}}`),
}

// deepJSON is deeper than the stacks of most languages.
var deepJSON = sayJSON("JSON nested 100,000 levels deep", strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))

// Data that is as it should be, to compare with.
var (
	flatJSON  = sayJSON("JSON of that length", "["+strings.Repeat("1,", 99_999)+"1]")
	plainJSON = sayJSON("JSON", `{"text":"hello"}`)
	plainText = say("text", upstreamtest.Text("hello"))
)

var invalidText = []attempt{
	say("text that is no UTF-8", upstreamtest.Text("caf\xe9 \xff\xfe\xc3\x28")),
	say("text in a charset that does not exist", upstreamtest.Data{ContentType: "text/plain; charset=no-such-charset", Bytes: []byte("text")}),
}

var badCertificates = []attempt{
	enter("a certificate with a body of nonsense", withContent("-----BEGIN CERTIFICATE-----\r\nTm90IGEgY2VydGlmaWNhdGU=\r\n-----END CERTIFICATE-----\r\n")),
	enter("a certificate that is not PEM", withContent("not a certificate")),
	enter("a certificate without content", withContent("")),
}

func withContent(content string) func(*upstreamtest.ConnectData) {
	return func(c *upstreamtest.ConnectData) {
		c.ClientCertificates = []upstream.ClientCertificate{{Thumbprint: "00", Content: content}}
	}
}

// polluted marks what ownNames leave behind.
const polluted = "left-behind-by-the-check"

// protoJSON has the names that stand for the objects of the language itself.
const protoJSON = `{"__proto__":{"` + polluted + `":"` + polluted + `"},"constructor":{"prototype":{"` + polluted + `":"` + polluted + `"}},"__class__":"` + polluted + `"}`

func ownNames(c *upstreamtest.ConnectData) {
	query, header := url.Values{}, http.Header{}
	for name, values := range c.Query {
		query[name] = values
	}
	for name, values := range c.Headers {
		header[name] = values
	}
	for _, name := range []string{"__proto__", "constructor", "prototype", "toString", "__class__"} {
		query[name] = []string{polluted}
		header[name] = []string{polluted}
	}
	c.Query, c.Headers = query, header
}

// The faults of attempts.

func withBody(body string) upstreamtest.Fault {
	return func(r *http.Request) {
		r.GetBody = nil
		r.ContentLength = int64(len(body))
		r.Body = http.NoBody
		if body != "" {
			r.Body = io.NopCloser(strings.NewReader(body))
		}
	}
}

// withHeader sets headers: name, value, name, value.
func withHeader(pairs ...string) upstreamtest.Fault {
	return func(r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Header[pairs[i]] = []string{pairs[i+1]}
		}
	}
}

// noEvent takes away all by which an event is known.
func noEvent(contentType string) upstreamtest.Fault {
	return func(r *http.Request) {
		r.Header = http.Header{}
		if contentType != "" {
			r.Header.Set(wire.HeaderContentType, contentType)
		}
	}
}

// withMethod returns an attempt with another method, and without a body.
func withMethod(method string) attempt {
	return forge(method, withBody(""), func(r *http.Request) { r.Method = method })
}
