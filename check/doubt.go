package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// conclusive is the name of what fails, in reports by test cases, when too
// little was judged and no must says so.
const conclusive = "run/conclusive"

// doubt says why the run is no success although no must fails, and what to do;
// empty when it is one, or a must says enough.
func (r *Report) doubt() string {
	if r.OK() || r.Count(Must, Fails) > 0 {
		return ""
	}
	why, fix := r.inTheWay()
	return visible(fmt.Sprintf("too little was judged to say that the handler is right: %s. %s.", why, fix))
}

// inTheWay returns what kept the check from judging more, and what to do.
func (r *Report) inTheWay() (why, fix string) {
	events := r.Found[min(1, len(r.Found)):]
	accepted := func(o Observation) bool { return o.Status/100 == 2 }
	if len(events) > 0 && events[0].What == "connect" && !accepted(events[0]) {
		return fmt.Sprintf("the handler let no client in (connect: %s)", events[0].Outcome),
			"Check with its access key and host, and as a client that it lets in: UserID, Query and Subprotocols, or --user, --query and --offer"
	}
	if len(events) > 0 && !slices.ContainsFunc(events, accepted) {
		return fmt.Sprintf("the handler accepted no event (%s: %s)", events[0].What, events[0].Outcome),
			"Check with its access key and host, and say which events it serves and what they carry: Events and Data, or --events and --data"
	}
	i := slices.IndexFunc(r.Results, func(result Result) bool { return result.Undecided && result.Rule.Severity == Must })
	switch {
	case i < 0:
		return "there is nothing to judge by", "Choose other rules"
	case r.Results[i].Finding == ended:
		return ended, "Let it come to its end"
	case strings.HasPrefix(r.Results[i].Finding, outOfTime):
		return r.Results[i].Finding, "Give it more, MaxDuration or --max-duration, or find out what makes the handler slow"
	}
	return fmt.Sprintf("%s is not decided, because %s", r.Results[i].Rule.ID, r.Results[i].Finding), "Take that out of the way, and check again"
}

// visible keeps what a handler says from acting on a terminal that shows it.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !strconv.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(text, "\r\n", "\n"))
}
