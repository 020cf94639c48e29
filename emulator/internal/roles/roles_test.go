package roles_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/gowebpubsub/webpubsub/emulator/internal/roles"
)

const (
	join = roles.JoinLeaveGroup
	send = roles.SendToGroup
)

func TestAllows(t *testing.T) {
	tests := []struct {
		name  string
		roles []string
		p     roles.Permission
		yes   []string
		no    []string
	}{
		{"none", nil, send, nil, []string{"g", ""}},
		{"all", []string{"webpubsub.sendToGroup"}, send, []string{"g", "a.b"}, nil},
		{"the other permission", []string{"webpubsub.sendToGroup"}, join, nil, []string{"g"}},
		{"all by join", []string{"webpubsub.joinLeaveGroup"}, join, []string{"g"}, nil},
		{"one", []string{"webpubsub.sendToGroup.a.b"}, send, []string{"a.b"}, []string{"a", "A.b", "a.b.c", "b"}},
		{"one by join", []string{"webpubsub.joinLeaveGroup.g"}, join, []string{"g"}, []string{"h"}},
		{"stars in one are literal", []string{"webpubsub.sendToGroup.*"}, send, []string{"*"}, []string{"g"}},
		{"pattern", []string{"webpubsub.sendToGroups.a.*"}, send, []string{"a.b", "a."}, []string{"a", "a.b.c"}},
		{"pattern by join", []string{"webpubsub.joinLeaveGroups.**"}, join, []string{"a.b", "x"}, nil},
		{"pattern without wildcards", []string{`webpubsub.sendToGroups.a\*`}, send, []string{"a*"}, []string{`a\*`, "ab"}},
		{
			"several",
			[]string{"custom", "webpubsub.sendToGroup.x", "webpubsub.sendToGroups.y*", "webpubsub.sendToGroups.z?"},
			send,
			[]string{"x", "y", "y1", "z1"},
			[]string{"z", "xx", "custom"},
		},
		{
			"names that are not roles",
			[]string{
				"webpubsub.sendToGroups", "webpubsub.sendToGroupX", "WebPubSub.SendToGroup", "webpubsub.sendtogroup",
				"sendToGroup", "webpubsub.setGroupState", "webpubsub.", "", " webpubsub.sendToGroup",
			},
			send, nil,
			[]string{"g", "X", "X.g"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ignored := roles.New(tt.roles)
			if len(ignored) > 0 {
				t.Errorf("ignored %+v, want none", ignored)
			}
			for _, g := range tt.yes {
				if !s.Allows(tt.p, g) {
					t.Errorf("Allows(%v, %q) = false, want true", tt.p, g)
				}
			}
			for _, g := range tt.no {
				if s.Allows(tt.p, g) {
					t.Errorf("Allows(%v, %q) = true, want false", tt.p, g)
				}
			}
		})
	}
}

func TestIgnored(t *testing.T) {
	long := strings.Repeat("ä", 1024)
	tests := []struct{ role, reason string }{
		{"webpubsub.sendToGroup.", "names no group"},
		{"webpubsub.sendToGroup. \t", "names no group"},
		{"webpubsub.sendToGroup." + long + "x", "1 to 1024 characters"},
		{"webpubsub.sendToGroups.", "is empty"},
		{"webpubsub.sendToGroups.*.*.*.*.*.*", "more than 5 stars"},
		{`webpubsub.sendToGroups.a\`, "ends with a backslash"},
		{`webpubsub.joinLeaveGroups.a\b`, `before 'b'`},
		{"webpubsub.joinLeaveGroups." + long + "*", "more than 1024 characters"},
	}
	for _, tt := range tests {
		s, ignored := roles.New([]string{"webpubsub.sendToGroup.good", tt.role})
		if len(ignored) != 1 || ignored[0].Role != tt.role || !strings.Contains(ignored[0].Reason, tt.reason) {
			t.Errorf("%q: got %+v, want it ignored because of %q", tt.role, ignored, tt.reason)
		}
		if !s.Allows(send, "good") {
			t.Errorf("%q: the role beside it has no effect", tt.role)
		}
	}
	for _, role := range []string{"webpubsub.sendToGroup." + long, "webpubsub.sendToGroups." + long[2:] + "*"} {
		if _, ignored := roles.New([]string{role}); len(ignored) > 0 {
			t.Errorf("%q: ignored because %s", role, ignored[0].Reason)
		}
	}
}

func TestTooManyRoles(t *testing.T) {
	var given []string
	for i := range roles.MaxGroups + 1 {
		given = append(given, fmt.Sprintf("webpubsub.sendToGroup.g%d", i))
	}
	for i := range roles.MaxPatterns + 1 {
		given = append(given, fmt.Sprintf("webpubsub.sendToGroups.p%d.*", i))
	}
	// These take no place among the patterns and the groups above.
	given = append(given, "webpubsub.sendToGroups.p1.x", "webpubsub.joinLeaveGroups.**", "webpubsub.joinLeaveGroup.g0")
	s, ignored := roles.New(given)
	var names []string
	for _, i := range ignored {
		names = append(names, i.Role)
	}
	if want := []string{"webpubsub.sendToGroups.p9.*", "webpubsub.sendToGroup.g1000"}; !slices.Equal(names, want) {
		t.Errorf("ignored %q, want %q", names, want)
	}
	for group, want := range map[string]bool{"g0": true, "g999": true, "g1000": false, "p8.x": true, "p9.x": false} {
		if got := s.Allows(send, group); got != want {
			t.Errorf("Allows(%q) = %v, want %v", group, got, want)
		}
	}
	if !s.Allows(join, "anything") {
		t.Error("a lone ** is not for all groups")
	}
}

func TestGrantAndRevoke(t *testing.T) {
	for _, given := range [][]string{
		nil,
		{"webpubsub.sendToGroup"},
		{"webpubsub.sendToGroup.g"},
		{"webpubsub.sendToGroups.**"},
		{"webpubsub.sendToGroups.?"},
		{"webpubsub.sendToGroup.g", "webpubsub.sendToGroups.g*"},
	} {
		s, _ := roles.New(given)
		others, byRole := s.Allows(send, "h"), s.Allows(join, "g")
		for _, step := range []bool{false, false, true, true, false, true} {
			do := s.Grant
			if !step {
				do = s.Revoke
			}
			if !do(send, "g") {
				t.Errorf("%q: a change was refused", given)
			}
			if got := s.Allows(send, "g"); got != step {
				t.Errorf("%q: Allows = %v, want %v", given, got, step)
			}
			if s.Allows(send, "h") != others || s.Allows(join, "g") != byRole {
				t.Errorf("%q: another group or permission was changed", given)
			}
		}
	}
}

func TestGrantLimit(t *testing.T) {
	for _, tt := range []struct {
		roles          []string
		change, undo   func(*roles.Set, roles.Permission, string) bool
		before, within bool
	}{
		{nil, (*roles.Set).Grant, (*roles.Set).Revoke, false, true},
		{[]string{"webpubsub.sendToGroup"}, (*roles.Set).Revoke, (*roles.Set).Grant, true, false},
	} {
		s, _ := roles.New(tt.roles)
		for i := range roles.MaxGroups {
			if !tt.change(s, send, fmt.Sprint(i)) {
				t.Fatalf("change %d was refused", i+1)
			}
		}
		if tt.change(s, send, "more") || s.Allows(send, "more") != tt.before {
			t.Error("a change above the limit was accepted")
		}
		if !tt.change(s, send, "0") || !tt.undo(s, send, "more") {
			t.Error("at the limit, what changes nothing was refused")
		}
		if !tt.undo(s, send, "0") || !tt.change(s, send, "more") || s.Allows(send, "more") != tt.within {
			t.Error("a place that became free was not used")
		}
	}
}

// A Set behaves like a list of what was said, the last word counting.
func TestSetAgreesWithTheRules(t *testing.T) {
	groups := []string{"a", "ab", "b", "a.b"}
	given := []string{
		"webpubsub.sendToGroup", "webpubsub.sendToGroup.a", "webpubsub.sendToGroups.a*", "webpubsub.sendToGroups.*b",
		"webpubsub.sendToGroups.**", "webpubsub.sendToGroups.ab", "webpubsub.joinLeaveGroup",
	}
	byRole := map[string][]string{
		given[0]: groups, given[1]: {"a"}, given[2]: {"a", "ab"}, given[3]: {"ab", "b"}, given[4]: groups, given[5]: {"ab"},
	}
	rapid.Check(t, func(t *rapid.T) {
		mine := rapid.SliceOfN(rapid.SampledFrom(given), 0, 3).Draw(t, "roles")
		want := map[string]bool{}
		for _, r := range mine {
			for _, g := range byRole[r] {
				want[g] = true
			}
		}
		s, _ := roles.New(mine)
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			g, allow := rapid.SampledFrom(groups).Draw(t, "group"), rapid.Bool().Draw(t, "allow")
			if want[g] = allow; allow {
				s.Grant(send, g)
			} else {
				s.Revoke(send, g)
			}
		}
		for _, g := range groups {
			if got := s.Allows(send, g); got != want[g] {
				t.Errorf("Allows(%q) = %v, want %v", g, got, want[g])
			}
		}
	})
}

func TestNilAndZeroSet(t *testing.T) {
	var none *roles.Set
	if none.Allows(send, "g") {
		t.Error("a nil Set allows something")
	}
	var zero roles.Set
	if zero.Allows(send, "g") || !zero.Grant(send, "g") || !zero.Allows(send, "g") {
		t.Error("a zero Set allows something, or takes no grant")
	}
}

// Thousands of idle connections have a Set each.
func TestSetIsSmall(t *testing.T) {
	if got := unsafe.Sizeof(roles.Set{}); got > 3*unsafe.Sizeof(uintptr(0)) {
		t.Errorf("a Set has %d bytes, want no more than 3 words", got)
	}
	given := []string{"webpubsub.sendToGroup", "webpubsub.joinLeaveGroup", "custom"}
	if got := testing.AllocsPerRun(100, func() { roles.New(given) }); got > 1 {
		t.Errorf("a Set without single groups takes %v allocations, want 1", got)
	}
	s, _ := roles.New([]string{"webpubsub.sendToGroups.a.**", "webpubsub.sendToGroups.*.x", "webpubsub.sendToGroup.b"})
	if got := testing.AllocsPerRun(100, func() { s.Allows(send, "c.x") }); got != 0 {
		t.Errorf("Allows takes %v allocations, want 0", got)
	}
}

func TestPermissionNames(t *testing.T) {
	tests := []struct {
		text string
		want roles.Permission
		ok   bool
	}{
		{"sendToGroup", send, true},
		{"SENDTOGROUP", send, true},
		{"1", send, true},
		{"joinLeaveGroup", join, true},
		{"joinleavegroup", join, true},
		{"2", join, true},
		{"", 0, false},
		{"0", 0, false},
		{"3", 0, false},
		{"01", 0, false},
		{"webpubsub.sendToGroup", 0, false},
		{"sendToGroups", 0, false},
	}
	for _, tt := range tests {
		got, ok := roles.ParsePermission(tt.text)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("ParsePermission(%q) = %v, %v, want %v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
	for _, p := range []roles.Permission{send, join} {
		if got, ok := roles.ParsePermission(p.String()); !ok || got != p {
			t.Errorf("ParsePermission(%q) = %v, %v", p.String(), got, ok)
		}
	}
	if got, want := roles.Permission(7).String(), "Permission(7)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
