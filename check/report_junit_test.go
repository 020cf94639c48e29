package check_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gowebpubsub/webpubsub/check"
)

// A junit is a report as a build server reads it.
type junit struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []struct {
		Name  string      `xml:"name,attr"`
		Tests int         `xml:"tests,attr"`
		Cases []junitCase `xml:"testcase"`
	} `xml:"testsuite"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    float64       `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func readJUnit(t *testing.T, r *check.Report) (read junit, text string) {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(b.Bytes(), &read); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return read, b.String()
}

// rule returns a rule that nobody judges.
func rule(id string, severity check.Severity) check.Rule {
	return check.Rule{ID: id, Title: "The title", Severity: severity, Reason: "The reason.", Fix: "The fix.", Source: "the source"}
}

func TestJUnitOutcomes(t *testing.T) {
	exchanges := []check.Exchange{
		{Method: "POST", URL: "http://h.test/", Header: []string{"ce-hub: chat"}, Body: "hi", Status: 500, Duration: 1500 * time.Millisecond},
		{Method: "POST", URL: "http://h.test/", Error: "no answer: the connection was closed instead", Duration: time.Millisecond},
	}
	read, _ := readJUnit(t, &check.Report{Target: "http://h.test/", Results: []check.Result{
		{Rule: rule("a/holds", check.Must), Verdict: check.Holds},
		{Rule: rule("a/must", check.Must), Verdict: check.Fails, Finding: "got 500", Fix: "Mend it.", Exchanges: exchanges},
		{Rule: rule("b/should", check.Should), Verdict: check.Fails, Finding: "got 501", Fix: "Better it."},
		{Rule: rule("b/info", check.Info), Verdict: check.Fails, Finding: "got 502", Fix: "Know it."},
		{Rule: rule("a/open", check.Must), Verdict: check.NotJudged, Finding: "nobody knows"},
	}})
	if read.Name != "webpubsub check http://h.test/" || read.Tests != 5 || read.Failures != 1 || read.Skipped != 1 || len(read.Suites) != 2 {
		t.Fatalf("got %+v", read)
	}
	a, b := read.Suites[0], read.Suites[1]
	if a.Name != "a" || a.Tests != 3 || b.Name != "b" || b.Tests != 2 {
		t.Fatalf("got %+v", read.Suites)
	}
	for _, tt := range []struct {
		got             junitCase
		failed, skipped bool
		says            []string // in failure, skipped or system-out
	}{
		{a.Cases[0], false, false, nil},
		{a.Cases[1], true, false, []string{
			"The title\n", "why: The reason.\n", "fix: Mend it.\n", "source: the source\n",
			"> POST http://h.test/\n> ce-hub: chat\n>\n> hi\n< 500\n", "\n< no answer: the connection was closed instead\n",
		}},
		{b.Cases[0], false, false, []string{"This should does not hold: got 501\n", "fix: Better it."}},
		{b.Cases[1], false, false, []string{"This info does not hold: got 502\n"}},
		{a.Cases[2], false, true, nil},
	} {
		text := tt.got.Out
		if tt.got.Failure != nil {
			text += tt.got.Failure.Text
		}
		if (tt.got.Failure != nil) != tt.failed || (tt.got.Skipped != nil) != tt.skipped || (text == "") != (tt.says == nil) {
			t.Errorf("%s: got %+v", tt.got.Name, tt.got)
		}
		for _, want := range tt.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing in\n%s", tt.got.Name, want, text)
			}
		}
	}
	if c := a.Cases[1]; c.Class != "a" || c.Name != "a/must" || c.Time != 1.501 || c.Failure.Message != "got 500" {
		t.Errorf("got %+v", c)
	}
	if got := a.Cases[2].Skipped.Message; got != "nobody knows" {
		t.Errorf("skipped because %q", got)
	}
}

// A run that is no success has a failure, even where no must fails.
func TestJUnitDoubt(t *testing.T) {
	held := check.Result{Rule: rule("a/holds", check.Must), Verdict: check.Holds}
	open := check.Result{Rule: rule("a/open", check.Must), Verdict: check.NotJudged, Undecided: true, Finding: "the network is down"}
	late := check.Result{Rule: rule("a/late", check.Must), Verdict: check.NotJudged, Undecided: true, Finding: "the check has taken its time, which is limited to 1s"}
	wrong := check.Result{Rule: rule("a/wrong", check.Must), Verdict: check.Fails, Finding: "got 500"}
	consent := check.Observation{What: "handshake", Status: 200, Outcome: "200 OK, consents"}
	admitted := check.Observation{What: "connect", Status: 200, Outcome: "200 OK"}
	refused := check.Observation{What: "connect", Status: 403, Outcome: "403 Forbidden " + hostileText}
	unknown := check.Observation{What: "vote", Status: 400, Outcome: "400 Bad Request"}
	for name, tt := range map[string]struct {
		found   []check.Observation
		results []check.Result
		want    []string // in the message, nil for no such failure
	}{
		"right":    {[]check.Observation{consent, admitted}, []check.Result{held}, nil},
		"wrong":    {[]check.Observation{consent, refused}, []check.Result{held, wrong}, nil},
		"refused":  {[]check.Observation{consent, refused, unknown}, []check.Result{held}, []string{"let no client in (connect: 403 Forbidden", "--user"}},
		"no event": {[]check.Observation{consent, unknown}, []check.Result{held}, []string{"accepted no event (vote: 400 Bad Request)", "--events"}},
		"late":     {[]check.Observation{consent, admitted}, []check.Result{held, late}, []string{"limited to 1s", "--max-duration"}},
		"open":     {[]check.Observation{consent, admitted}, []check.Result{held, open}, []string{"a/open is not decided, because the network is down"}},
	} {
		read, _ := readJUnit(t, &check.Report{Found: tt.found, Results: tt.results})
		var got []string
		for _, suite := range read.Suites {
			for _, c := range suite.Cases {
				if c.Class == "run" && c.Name == "run/conclusive" && c.Failure != nil && suite.Name == "run" {
					got = append(got, c.Failure.Message)
				}
			}
		}
		if len(got) != min(1, len(tt.want)) {
			t.Errorf("%s: got %q", name, got)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(got[0], want) {
				t.Errorf("%s: got %q, want %q in it", name, got[0], want)
			}
		}
	}
}

// A build server has to be able to read the report, whatever a handler says.
func TestJUnitHostile(t *testing.T) {
	read, text := readJUnit(t, &check.Report{Target: "http://h.test/" + hostileText, Results: []check.Result{{
		Rule: rule("a/b", check.Must), Verdict: check.Fails, Finding: hostileText, Fix: hostileText,
		Exchanges: []check.Exchange{{URL: hostileText, Body: hostileText, Status: 200, AnswerHeader: []string{"X: " + hostileText}, Answer: hostileText + "\n\r\v"}},
	}}})
	if at := strings.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) && r != '\n' }); at >= 0 {
		t.Errorf("there is a control character in %q", text[:at+1])
	}
	if got, want := read.Suites[0].Cases[0].Failure.Message, "�]0;owned��</failure>]]>&�31m����"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJUnitOfRealReports(t *testing.T) {
	for name, r := range reports(t) {
		read, _ := readJUnit(t, r)
		notJudged := r.Count(check.Must, check.NotJudged) + r.Count(check.Should, check.NotJudged) + r.Count(check.Info, check.NotJudged)
		doubt := 0
		if !r.OK() && r.Count(check.Must, check.Fails) == 0 {
			doubt = 1
		}
		if read.Tests != len(r.Results)+doubt || read.Failures != r.Count(check.Must, check.Fails)+doubt || read.Skipped != notJudged {
			t.Errorf("%s: got %d tests, %d failures and %d skipped", name, read.Tests, read.Failures, read.Skipped)
		}
		if (read.Failures == 0) != r.OK() {
			t.Errorf("%s: %d failures, and OK is %v", name, read.Failures, r.OK())
		}
	}
}

var errFull = errors.New("the disk is full")

// A full takes some bytes and no more.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestJUnitFullDisk(t *testing.T) {
	for _, room := range []full{0, 50, 130} {
		if err := new(check.Report).WriteJUnit(&room); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
}
