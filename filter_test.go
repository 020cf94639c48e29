package webpubsub_test

import (
	"testing"

	"github.com/gowebpubsub/webpubsub"
)

func TestFilter(t *testing.T) {
	type user string
	type level uint8
	for _, tt := range []struct {
		template string
		values   []any
		want     string
	}{
		{"userId eq 'bob'", nil, "userId eq 'bob'"},
		{"userId eq ?", []any{"vic's"}, "userId eq 'vic''s'"},
		{"userId eq ? or userId eq ?", []any{"a", nil}, "userId eq 'a' or userId eq null"},
		{"not(? in groups)", []any{"' or true or '"}, "not(''' or true or ''' in groups)"},
		{"length(userId) gt ? and ? le ?", []any{3, int64(-1), level(255)}, "length(userId) gt 3 and -1 le 255"},
		{"? eq ?", []any{true, user("u?")}, "true eq 'u?'"},
		{"userId eq 'what?' or userId eq ?", []any{""}, "userId eq 'what?' or userId eq ''"},
		{"userId eq 'it''s?' and ?", []any{false}, "userId eq 'it''s?' and false"},
		{"??", []any{"a", "b"}, "'a''b'"},
		{"", nil, ""},
	} {
		if got := webpubsub.Filter(tt.template, tt.values...); got != tt.want {
			t.Errorf("Filter(%q, %v) = %q, want %q", tt.template, tt.values, got, tt.want)
		}
	}
}

func TestFilterPanics(t *testing.T) {
	for _, tt := range []struct {
		template string
		values   []any
		want     string
	}{
		{"userId eq ?", nil, "webpubsub: Filter with 0 values for 1 question marks"},
		{"userId", []any{"x"}, "webpubsub: Filter with 1 values for 0 question marks"},
		{"'?'", []any{"x"}, "webpubsub: Filter with 1 values for 0 question marks"},
		{"userId eq 'bob", nil, "webpubsub: Filter with a quote that is not closed"},
		{"?", []any{1.5}, "webpubsub: Filter with a float64; strings, booleans, integers and nil are possible"},
		{"?", []any{[]string{"a"}}, "webpubsub: Filter with a []string; strings, booleans, integers and nil are possible"},
	} {
		func() {
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("Filter(%q, %v): got panic %v, want %q", tt.template, tt.values, got, tt.want)
				}
			}()
			webpubsub.Filter(tt.template, tt.values...)
		}()
	}
}
