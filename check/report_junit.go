package check

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The elements of a JUnit report, as far as build servers agree on them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     seconds      `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      seconds     `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		ClassName string        `xml:"classname,attr"`
		Name      string        `xml:"name,attr"`
		Time      seconds       `xml:"time,attr"`
		Failure   *junitFailure `xml:"failure"`
		Skipped   *junitSkipped `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// seconds is a duration as JUnit writes it.
type seconds time.Duration

func (s seconds) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// WriteJUnit writes the report as build servers read it: an area is a test
// suite, and a rule a test case. Musts that fail are failures. Other rules that
// fail have passed, with a note in system-out: they are no reason to stop a
// build. What was not judged is skipped. When too little was judged, and no must
// says so, the case run/conclusive fails.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "webpubsub check " + visible(r.Target), Time: seconds(r.Duration)}
	var cases []junitCase
	for i := range r.Results {
		cases = append(cases, r.Results[i].junit())
	}
	if doubt := r.doubt(); doubt != "" {
		cases = append(cases, junitCase{ClassName: "run", Name: conclusive, Failure: &junitFailure{Message: doubt, Type: Must.String()}})
	}
	for _, c := range cases {
		suite := slices.IndexFunc(all.Suites, func(s junitSuite) bool { return s.Name == c.ClassName })
		if suite < 0 {
			suite = len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Name: c.ClassName, Timestamp: r.Start.UTC().Format("2006-01-02T15:04:05")})
		}
		all.Suites[suite].add(c)
	}
	for _, suite := range all.Suites {
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Skipped += suite.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	s.Time += c.Time
	if c.Failure != nil {
		s.Failures++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
}

func (r *Result) junit() junitCase {
	c := junitCase{ClassName: r.Rule.Area(), Name: r.Rule.ID}
	for _, x := range r.Exchanges {
		c.Time += seconds(x.Duration)
	}
	switch {
	case r.Verdict == NotJudged:
		c.Skipped = &junitSkipped{Message: visible(r.Finding)}
	case r.Verdict == Fails && r.Rule.Severity == Must:
		c.Failure = &junitFailure{Message: visible(r.Finding), Type: Must.String(), Text: r.explanation()}
	case r.Verdict == Fails:
		c.SystemOut = fmt.Sprintf("This %s does not hold: %s\n%s", r.Rule.Severity, visible(r.Finding), r.explanation())
	}
	return c
}

// explanation says all that there is to say of a rule that fails.
func (r *Result) explanation() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nwhy: %s\nfix: %s\nsource: %s\n", r.Rule.Title, r.Rule.Reason, r.Fix, r.Rule.Source)
	for i := range r.Exchanges {
		r.Exchanges[i].write(&b)
	}
	return visible(b.String())
}

// write writes the exchange as it would look on the wire, but for what is cut.
func (x *Exchange) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n> %s %s\n", x.Method, x.URL)
	writeLines(b, "> ", x.Header, x.Body)
	if x.Status == 0 {
		fmt.Fprintf(b, "< %s\n", x.Error)
		return
	}
	fmt.Fprintf(b, "< %d\n", x.Status)
	writeLines(b, "< ", x.AnswerHeader, x.Answer)
}

func writeLines(b *strings.Builder, prefix string, header []string, body string) {
	for _, line := range header {
		b.WriteString(prefix + line + "\n")
	}
	if body == "" {
		return
	}
	b.WriteString(strings.TrimSpace(prefix) + "\n")
	for line := range strings.SplitSeq(body, "\n") {
		b.WriteString(prefix + line + "\n")
	}
}
