package check

import (
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// ruleJSON is a rule for machines.
type ruleJSON struct {
	ID       string   `json:"id"`
	Area     string   `json:"area"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	Reason   string   `json:"reason"`
	Fix      string   `json:"fix,omitempty"`
	Source   string   `json:"source"`
	Hostile  bool     `json:"hostile"`
}

func (r *Rule) json() ruleJSON {
	return ruleJSON{ID: r.ID, Area: r.Area(), Title: r.Title, Severity: r.Severity, Reason: r.Reason, Fix: r.Fix, Source: r.Source, Hostile: r.Hostile}
}

// MarshalJSON writes what the rule says of itself.
func (r Rule) MarshalJSON() ([]byte, error) { return wire.Marshal(r.json()) }

// MarshalJSON writes the rule and what it has come to as one object. Its fix is
// that of the result.
func (r Result) MarshalJSON() ([]byte, error) {
	rule := r.Rule.json()
	rule.Fix = r.Fix
	exchanges := emptyNotNull(slices.Clone(r.Exchanges))
	for i := range exchanges {
		exchanges[i].Header = emptyNotNull(exchanges[i].Header)
	}
	return wire.Marshal(struct {
		ruleJSON
		Verdict   Verdict    `json:"verdict"`
		Finding   string     `json:"finding,omitempty"`
		Undecided bool       `json:"undecided,omitempty"`
		Exchanges []Exchange `json:"exchanges"`
	}{rule, r.Verdict, r.Finding, r.Undecided, exchanges})
}

// countsJSON are the numbers of the rules of one severity.
type countsJSON struct {
	Holds     int `json:"holds"`
	Fails     int `json:"fails"`
	NotJudged int `json:"notJudged"`
}

// MarshalJSON writes the report for machines, in the form that
// docs/check.schema.json describes.
func (r Report) MarshalJSON() ([]byte, error) {
	counts := map[string]countsJSON{}
	for _, severity := range []Severity{Must, Should, Info} {
		counts[severity.String()] = countsJSON{r.Count(severity, Holds), r.Count(severity, Fails), r.Count(severity, NotJudged)}
	}
	text, err := wire.Marshal(struct {
		Target     string                `json:"target"`
		Hub        string                `json:"hub"`
		Origin     string                `json:"origin"`
		OK         bool                  `json:"ok"`
		Doubt      string                `json:"doubt,omitempty"`
		Counts     map[string]countsJSON `json:"counts"`
		Start      string                `json:"start"`
		DurationMS float64               `json:"durationMs"`
		Requests   int                   `json:"requests"`
		Found      []Observation         `json:"found"`
		Results    []Result              `json:"results"`
	}{
		r.Target, r.Hub, r.Origin, r.OK(), r.doubt(), counts, r.Start.UTC().Format(time.RFC3339Nano), float64(r.Duration.Microseconds()) / 1000, r.Requests,
		emptyNotNull(r.Found), emptyNotNull(r.Results),
	})
	return escaped(text), err
}

// escaped returns the same JSON without characters that act on a terminal:
// encoding/json leaves those above ASCII as they are.
func escaped(text []byte) []byte {
	clean := make([]byte, 0, len(text))
	for _, r := range string(text) {
		if r < utf8.RuneSelf-1 || strconv.IsPrint(r) {
			clean = utf8.AppendRune(clean, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			clean = fmt.Appendf(clean, `\u%04x`, unit)
		}
	}
	return clean
}

// emptyNotNull saves readers from telling no list from an empty one.
func emptyNotNull[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
