package check

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

// wholeSignature finds signatures that an answer repeats.
var wholeSignature = regexp.MustCompile(`(sha256=[0-9a-fA-F]{12})[0-9a-fA-F]+`)

// shortestSecret keeps short values, which are hardly secret, from being found
// in any text.
const shortestSecret = 4

// newScrubber returns what takes secrets out of texts of the handler, which may
// repeat what it is sent or print what it is configured with: the access key, the
// values of further headers, and those of the query of its URL.
func newScrubber(opts *Options, target string) *strings.Replacer {
	var pairs []string
	hide := func(secret, instead string) {
		if len(secret) < shortestSecret {
			return
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret)} {
			pairs = append(pairs, form, instead)
		}
	}
	hide(opts.AccessKey, "(the access key)")
	for _, values := range opts.Header {
		for _, value := range values {
			hide(value, "(set)")
		}
	}
	if u, err := url.Parse(target); err == nil {
		for _, values := range u.Query() {
			for _, value := range values {
				hide(value, "…")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// scrub takes out of a text what a report must not show.
func (s *session) scrub(text string) string {
	return wholeSignature.ReplaceAllString(s.secrets.Replace(text), "$1…")
}
