package odata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/emulator/internal/odata"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", " ", `userId eq 'a'`, `not ('g' in groups) and connectionId ne 'c'`, `userId in ('a', null, 'o''b')`,
		`length(groups) ge -1 or substring(userId, 1, 2) eq concat('x', trim(' y '))`, `not length(userId) gt 5`,
		`indexof(tolower(userId),'é😀') eq +2147483647`, `((true))`, `'`, `''''`, `userId eq "a"`, "\xff eq '\xff'",
	} {
		f.Add(s, "a", "g")
	}
	f.Fuzz(func(t *testing.T, text, user, group string) {
		filter, err := odata.Parse(text)
		if err != nil {
			e, ok := errors.AsType[*odata.SyntaxError](err)
			if !ok || e.Offset < 0 || e.Offset > len(text) || e.Reason == "" {
				t.Fatalf("Parse(%q): got error %#v", text, err)
			}
			return
		}
		if filter.String() != text {
			t.Fatalf("String = %q, want %q", filter, text)
		}
		if text == "" {
			return
		}
		again, err1 := odata.Parse("(" + text + " ) and true")
		negated, err2 := odata.Parse("not (" + text + ")")
		if err := errors.Join(err1, err2); err != nil {
			if !strings.Contains(err.Error(), "expected at most") {
				t.Errorf("%q is a filter, but not as part of one: %v", text, err)
			}
			return
		}
		for _, s := range []odata.Subject{
			{ConnectionID: "c", UserID: user, Protocol: "p", Groups: groups{group}},
			{ConnectionID: user},
		} {
			got := filter.Match(s)
			if again.Match(s) != got {
				t.Errorf("%q matches %+v: %v, but in parentheses %v", text, s, got, !got)
			}
			if negated.Match(s) == got {
				t.Errorf("%q and its negation match %+v: %v", text, s, got)
			}
		}
	})
}
