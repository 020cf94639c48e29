package webpubsub

import (
	"errors"
	"net/url"
	"strings"
)

// apiVersion is the version of the REST API that this package speaks.
const apiVersion = "2024-12-01"

// path returns the path of something in the hub. The elements are escaped.
func (c *Client) path(elements ...string) string {
	var b strings.Builder
	b.WriteString("/api/hubs/" + escape(c.hub))
	for _, e := range elements {
		b.WriteString("/" + escape(e))
	}
	return b.String()
}

// A query is an escaped query string.
type query string

// with returns q with one more parameter for each value that is not empty: the
// service takes lists as repeated names.
func (q query) with(name string, values ...string) query {
	for _, v := range values {
		if v == "" {
			continue
		}
		if q != "" {
			q += "&"
		}
		q += query(name + "=" + escape(v))
	}
	return q
}

// escape escapes everything but what JavaScript's encodeURIComponent leaves
// alone, so that tokens name the URL as other SDKs write it. A space is %20 in
// queries too: not every reader takes + for one.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.!~*'()", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// nextQuery returns the query of a link to the next page. Nothing else of the
// link is used: the request goes to the same host and path again, so that no
// answer can lead a token elsewhere, and services behind proxies and custom
// domains, which may not know their outer name, work too.
func nextQuery(link string) (query, error) {
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" || strings.ContainsFunc(u.RawQuery, notInQuery) {
		return "", errors.New("the link to the next page is not a URL with a query")
	}
	return query(u.RawQuery), nil
}

func notInQuery(r rune) bool { return r <= ' ' || r >= 0x7f }
