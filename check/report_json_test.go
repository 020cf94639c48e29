package check_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gowebpubsub/webpubsub/check"
)

// hostileText has what must not reach a reader as it is: a terminal's escape
// sequence in 7 and in 8 bits, a NUL, markup, what turns the writing around, and
// a byte that is no UTF-8.
const hostileText = "\x1b]0;owned\a\x00</failure>]]>&\u009b31m\u202e\U000e0041\x7f\xff"

// nasty is the body of every answer of a handler that means ill.
func nasty(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/\xff")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, hostileText)
}

// reports are of handlers that differ much.
func reports(t *testing.T) map[string]*check.Report {
	t.Helper()
	return map[string]*check.Report{
		"right": judged(t, newPlain(), nil),
		"nasty": judged(t, newPlain(func(p *plain) { p.connect, p.message = nasty, nasty }), nil),
		"hangs": judged(t, newPlain(func(p *plain) { p.message = hang }), nil),
		"404":   judged(t, http.NotFoundHandler(), nil),
		"none":  {},
	}
}

func TestReportsFollowTheSchema(t *testing.T) {
	report, list := schema(t, "#/$defs/report"), schema(t, "#/$defs/list")
	for name, r := range reports(t) {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		wantValid(t, name, report, text)
	}
	text, err := json.Marshal(map[string]any{"rules": check.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, "rules", list, text)
}

// What no report may be: the schema has to notice.
func TestSchemaRefuses(t *testing.T) {
	report := schema(t, "")
	for name, text := range map[string]string{
		"nothing":        `{}`,
		"no results":     `{"target":"x","hub":"chat","origin":"localhost","ok":true,"counts":{"must":{"holds":1,"fails":0,"notJudged":0},"should":{"holds":1,"fails":0,"notJudged":0},"info":{"holds":1,"fails":0,"notJudged":0}},"start":"2026-01-01T00:00:00Z","durationMs":1,"requests":1,"found":[],"results":null}`,
		"no such result": `{"rules":[{"id":"a/b","area":"a","title":"t","severity":"grave","reason":"r","fix":"f","source":"s","hostile":false}]}`,
	} {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if report.Validate(value) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func TestReportJSON(t *testing.T) {
	r := judged(t, newPlain(func(p *plain) { p.handshake = func(http.ResponseWriter, *http.Request) {} }), &check.Options{Only: []string{"handshake"}})
	text, err := json.Marshal(*r)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		OK      bool
		Counts  map[string]struct{ Fails, NotJudged int }
		Results []struct {
			ID, Area, Verdict, Fix string
			Exchanges              []struct{ Method, URL string }
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	first := got.Results[0]
	if got.OK || got.Counts["must"].Fails != 1 || got.Counts["must"].NotJudged == 0 {
		t.Errorf("got %s", text)
	}
	if first.ID != "handshake/consent" || first.Area != "handshake" || first.Verdict != "fails" || first.Fix == "" || first.Exchanges[0].Method != http.MethodOptions {
		t.Errorf("got the result %+v", first)
	}
}

// A terminal can show the JSON, and whoever reads it gets what the handler said.
func TestReportJSONHostile(t *testing.T) {
	text, err := json.Marshal(&check.Report{Found: []check.Observation{{What: "connect", Outcome: hostileText}}, Results: []check.Result{{
		Rule: rule("a/b", check.Must), Verdict: check.Fails, Finding: hostileText, Fix: hostileText, Exchanges: []check.Exchange{{Answer: hostileText}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if at := bytes.IndexFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }); at >= 0 {
		t.Errorf("there is %q in the JSON", text[at:min(len(text), at+10)])
	}
	var got struct{ Results []struct{ Finding string } }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostileText, "\uFFFD"); got.Results[0].Finding != want {
		t.Errorf("got %q, want %q", got.Results[0].Finding, want)
	}
}

// schema returns a part of the published schema, or the whole.
func schema(t *testing.T, part string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../docs/check.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("check.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("check.schema.json" + part)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func wantValid(t *testing.T, name string, s *jsonschema.Schema, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%s: %v\n%.2000s", name, err, text)
	}
}
