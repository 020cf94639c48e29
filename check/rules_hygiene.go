package check

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// hygieneRules look at all answers of a check, and come last; those that send
// something themselves come before those that look only.
var hygieneRules = []Rule{
	{
		ID:       "hygiene/signature",
		Title:    "The handler gives the right signature to nobody",
		Severity: Must,
		Source:   "CWE-200, Exposure of sensitive information",
		Reason:   "An answer that says what was expected gives anybody who asks the means to forge the events of any connection.",
		Fix:      "Answer a wrong signature with 401 and no more, and do not repeat the headers of events in answers.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    judgeSignature,
	},
	{
		ID:       "hygiene/amplification",
		Title:    "The handler answers a forged event with little",
		Severity: Info,
		Source:   "CWE-405, Asymmetric resource consumption",
		Reason:   "A small request that costs a large answer is a cheap way to wear a server out.",
		Fix:      "Answer what is refused with a status and an empty body.",
		Hostile:  true,
		needs:    []need{needAnyAnswer},
		judge:    judgeAmplification,
	},
	{
		ID:       "hygiene/access-key",
		Title:    "The handler gives the access key to nobody",
		Severity: Must,
		Source:   "CWE-200, Exposure of sensitive information",
		Reason:   "Whoever has the key forges events, and connects to the service as anybody.",
		Fix:      "Turn off pages and modes for debugging that show the configuration, make a new key, and turn the old one off.",
		judge:    judgeAccessKey, looksBack: true,
	},
	{
		ID:       "hygiene/stack-trace",
		Title:    "The handler keeps its stack traces to itself",
		Severity: Should,
		Source:   "CWE-209, Generation of error message containing sensitive information",
		Reason:   "Paths, versions and names of functions help an attacker, and nobody else reads the answer.",
		Fix:      "Turn the debug mode off, log the error, and answer with a status and no text.",
		judge:    judgeStackTraces, looksBack: true,
	},
}

// shortestKey keeps what is hardly a key from being found in any text.
const shortestKey = 16

func judgeAccessKey(s *session) finding {
	key := s.opts.AccessKey
	if len(key) < shortestKey {
		return open("the access key is too short to be told from other text")
	}
	if !s.heard() {
		return open(neverHeard)
	}
	for _, t := range s.texts {
		if t.says(key) {
			return s.reveals(t, key, "holds the access key")
		}
	}
	return holds()
}

// neverHeard is why nothing can be said of answers.
const neverHeard = "the handler has never answered"

// heard reports whether there is any answer to look at.
func (s *session) heard() bool {
	return slices.ContainsFunc(s.texts, func(t answerText) bool { return t.exchange.Status != 0 })
}

// judgeSignature asks once itself, so that there is a wrong signature to be
// corrected.
func judgeSignature(s *session) finding {
	s.try(forge("a wrong signature"))
	if !s.heard() {
		return open(neverHeard)
	}
	for _, t := range s.texts {
		_, right, _ := strings.Cut(wire.Sign(t.connection(), s.opts.AccessKey), "=")
		if t.says(right) {
			return s.reveals(t, right, "holds the right signature of the connection")
		}
	}
	return holds()
}

func judgeStackTraces(s *session) finding {
	if !s.heard() {
		return open(neverHeard)
	}
	for _, t := range s.texts {
		for _, trace := range traces {
			if at := trace.pattern.FindIndex(t.body); at != nil {
				return s.reveals(t, "", fmt.Sprintf("holds a stack trace of %s: %s", trace.language, excerpt(t.body, at)))
			}
		}
	}
	return holds()
}

// maxRefusal is more than any error page that somebody wrote.
const maxRefusal = 64 << 10

func judgeAmplification(s *session) finding {
	switch a := s.try(forge("a wrong signature")); {
	case a.status == 0:
		return open(fmt.Sprintf("got %v", a))
	case len(a.body) > maxRefusal:
		return fails(fmt.Sprintf("got %v with %d bytes, want %d at most", a, len(a.body), maxRefusal))
	}
	return holds()
}

// reveals fails a rule for what an answer says, and shows the answer without
// the secret.
func (s *session) reveals(t answerText, secret, what string) finding {
	x := t.exchange
	if secret != "" {
		x.Answer = strings.ReplaceAll(x.Answer, secret, "…")
		x.AnswerHeader = slices.Clone(x.AnswerHeader)
		for i, line := range x.AnswerHeader {
			x.AnswerHeader[i] = strings.ReplaceAll(line, secret, "…")
		}
	}
	s.current = append(s.current, x)
	return fails(fmt.Sprintf("the answer %d to %s %s %s", x.Status, x.Method, x.URL, what))
}

// says reports whether a text is in the answer.
func (t answerText) says(text string) bool {
	for _, values := range t.header {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return true
		}
	}
	return bytes.Contains(t.body, []byte(text))
}

// connection returns the connection that the request was about.
func (t answerText) connection() string {
	for _, line := range t.exchange.Header {
		if name, id, _ := strings.Cut(line, ": "); http.CanonicalHeaderKey(name) == wire.HeaderConnectionID {
			return id
		}
	}
	return ""
}

// traces are how stack traces look, as text or as HTML. Each pattern needs a
// place in a file or the words of the run-time system, so that no message of a
// client is taken for one.
var traces = []struct {
	language string
	pattern  *regexp.Regexp
}{
	{"JavaScript", regexp.MustCompile(`\bat [^\n]{0,200}[/\\][^\n<:/\\]+\.[cm]?[jt]sx?:\d+:\d+`)},
	{"Python", regexp.MustCompile(`Traceback \(most recent call last\)|File (?:"|&quot;|&#34;)[^"\n]{1,300}\.py(?:"|&quot;|&#34;), line \d+`)},
	{"Java", regexp.MustCompile(`\bat [\w.$/<>]+\([\w$]+\.(?:java|kt|scala|groovy):\d+\)`)},
	{".NET", regexp.MustCompile(`\bat (?:System|Microsoft)\.[\w.+\x60<>\[\],]+\(|\bat [^\n]{1,300}\) in [^\n]{1,300}:line \d+`)},
	{"Go", regexp.MustCompile(`goroutine \d+ \[[a-z ,0-9]+\]:|\.go:\d+ \+0x[0-9a-f]+`)},
	{"PHP", regexp.MustCompile(`\.php(?:\(\d+\)|(?:</b>)? on line (?:<b>)?\d+)|\bin /[^\n]{1,300}\.php:\d+`)},
	{"Ruby", regexp.MustCompile(`\.rb:\d+:in (?:[\x60'"]|&#39;|&quot;)`)},
}

// excerpt returns a line's worth of a text around a place in it.
func excerpt(body []byte, at []int) string {
	const most = 120
	text := body[at[0]:min(len(body), at[1], at[0]+most)]
	return strings.ToValidUTF8(string(text), "�")
}
