package main

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

// checkOptions makes the options of a check of the flags. The second result
// says in words which key signs.
func (a *app) checkOptions(flags *pflag.FlagSet, k *checkFlags) (*check.Options, string, error) {
	severity, ok := check.ParseSeverity(k.severity)
	switch {
	case !ok:
		return nil, "", usagef("--severity is %.20q, expected must, should or info", k.severity)
	case k.timeout <= 0:
		return nil, "", usagef("--timeout: expected a time to wait, such as 5s")
	case k.maxDuration <= 0:
		return nil, "", usagef("--max-duration: expected a time for the whole check, such as 5m")
	case flags.Changed("key") && k.key == "":
		return nil, "", usagef("--key is empty")
	}
	service, err := a.connection(k.connectionString)
	if err != nil {
		return nil, "", err
	}
	o := &check.Options{
		AccessKey: cmp.Or(k.key, service.AccessKey), Origin: cmp.Or(k.origin, service.Host), Hub: k.hub,
		Events: listOf(k.events), UserID: k.user, Subprotocols: k.offers,
		Only: listOf(k.only), Skip: listOf(k.skip), Severity: severity, Timeout: k.timeout, MaxDuration: k.maxDuration,
	}
	if len(o.Events) == 0 {
		o.Events = check.DefaultEvents()
	}
	if k.insecure {
		o.HTTPClient = insecureClient()
	}
	if o.Query, err = checkQuery(k.query); err != nil {
		return nil, "", err
	}
	if o.Header, err = checkHeader(k.headers); err != nil {
		return nil, "", err
	}
	if o.Data, err = a.checkData(k.data, o.Events); err != nil {
		return nil, "", err
	}
	return o, keyName(k, service), nil
}

// keyName says which key signs, and never what it is.
func keyName(k *checkFlags, service *connection) string {
	switch {
	case k.key != "":
		return "the key of --key"
	case service.source != "":
		return "the key of " + service.source
	}
	return "the public key of local services"
}

// listOf returns the members of comma lists.
func listOf(values []string) []string {
	var list []string
	for _, value := range values {
		for member := range strings.SplitSeq(value, ",") {
			if member = strings.TrimSpace(member); member != "" {
				list = append(list, member)
			}
		}
	}
	return list
}

// insecureClient takes any certificate: what is checked is a handler, often one
// with a certificate that it has made itself.
func insecureClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.MaxResponseHeaderBytes = 256 << 10 // as without this flag
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	return &http.Client{Transport: transport}
}

func checkQuery(parameters []string) (url.Values, error) {
	pairs, err := properties("query", parameters)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for _, p := range pairs {
		query.Add(p.Name, p.Value)
	}
	return query, nil
}

// checkHeader reads headers as name=value, or as they are on the wire. The
// errors show no value: it may be a key.
func checkHeader(lines []string) (http.Header, error) {
	header := http.Header{}
	for _, line := range lines {
		name, value := line, ""
		at := strings.IndexAny(line, "=:")
		if at >= 0 {
			name, value = line[:at], strings.TrimSpace(line[at+1:])
		}
		if at < 0 || !wire.ValidToken(name) || !wire.ValidHeaderValue(value) {
			return nil, usagef(`--header: expected name=value or "name: value", in visible ASCII`)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if strings.HasPrefix(name, "Ce-") || slices.Contains([]string{wire.HeaderRequestOrigin, wire.HeaderContentType, "Content-Length", "Host"}, name) {
			return nil, usagef("--header: %s is what the check itself says", name)
		}
		header.Add(name, value)
	}
	return header, nil
}

// systemEvents are the words in --events that name no user events.
var systemEvents = []string{"connect", "connected", "disconnected", "joined", "left", "mqtt"}

// checkData reads what user events carry.
func (a *app) checkData(pairs, events []string) (map[string]upstreamtest.Data, error) {
	all := map[string]upstreamtest.Data{}
	for _, pair := range pairs {
		event, text, ok := strings.Cut(pair, "=")
		switch {
		case !ok || event == "":
			return nil, usagef("--data: expected an event and what it carries, such as vote={\"option\":2} or vote=@vote.json")
		case slices.Contains(systemEvents, event):
			return nil, usagef("--data: %s is no user event, and the service says what it carries", event)
		case !slices.Contains(events, event):
			return nil, usagef("--data: --events does not name %.100q", event)
		}
		content := []byte(text)
		if strings.HasPrefix(text, "@") {
			var err error
			if content, err = a.readData(text); err != nil {
				if f, ok := errors.AsType[*failure](err); ok {
					return nil, f.err // its hint is not for this flag
				}
				return nil, err
			}
		}
		all[event] = dataOf(content)
	}
	return all, nil
}

// dataOf returns a message of the type that its content suggests.
func dataOf(content []byte) upstreamtest.Data {
	switch {
	case json.Valid(content):
		return upstreamtest.JSON(json.RawMessage(content))
	case utf8.Valid(content):
		return upstreamtest.Text(string(content))
	}
	return upstreamtest.Binary(content)
}
