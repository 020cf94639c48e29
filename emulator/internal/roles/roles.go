// Package roles decides what a client may do with a group.
//
// The names of roles, the wildcards and their limit of five stars are from the
// Azure Web PubSub documentation (concept-client-protocols and
// concept-wildcard-group-roles). The other limits, and what becomes of a grant
// or a revocation, are those of Microsoft's emulator.
package roles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// A Permission is something that a client may do with a group.
type Permission int

// The permissions.
const (
	JoinLeaveGroup Permission = iota
	SendToGroup
)

var permissionNames = [...]string{JoinLeaveGroup: "joinLeaveGroup", SendToGroup: "sendToGroup"}

// String returns the permission's name in roles and in the REST operations.
func (p Permission) String() string {
	if p < 0 || int(p) >= len(permissionNames) {
		return fmt.Sprintf("Permission(%d)", int(p))
	}
	return permissionNames[p]
}

// ParsePermission reads a permission as it stands in the path of a REST
// operation: its name without regard to case, or its number in the .NET SDK, 1
// for sendToGroup and 2 for joinLeaveGroup.
func ParsePermission(s string) (Permission, bool) {
	switch strings.ToLower(s) {
	case "sendtogroup", "1":
		return SendToGroup, true
	case "joinleavegroup", "2":
		return JoinLeaveGroup, true
	}
	return 0, false
}

// The limits of a [Set], for each permission.
const (
	MaxPatterns = 9    // roles with wildcards other than a lone **
	MaxGroups   = 1000 // groups that roles, Grant and Revoke name one by one
)

// A Set is what one connection may do. The zero Set allows nothing, and costs
// no more than its own size until something names a group. A nil Set allows
// nothing either, but cannot be changed.
//
// A Set is not safe for concurrent use.
type Set struct {
	all   [2]bool // by permission
	rules [2]*rules
}

// rules are the finer part of one permission. Groups is relative to all and the
// patterns, which do not change once a Set is made: a group in it is allowed
// exactly if they deny it.
type rules struct {
	patterns []Pattern
	groups   map[string]struct{}
}

// Ignored is a role that speaks of groups and has no effect.
type Ignored struct {
	Role   string
	Reason string
}

// New reads the roles of a token or of the answer to a connect event. Roles
// that are not about groups mean nothing here and are passed over. Those that
// are and that cannot be used are ignored, as the service does: they are
// returned for the log. The order of roles has no meaning, except that it
// decides which of too many are ignored.
func New(roles []string) (set *Set, ignored []Ignored) {
	s := &Set{}
	var exact []groupRole
	for _, text := range roles {
		r, ok := parseRole(text)
		switch {
		case !ok:
		case r.kind == everyGroup:
			s.all[r.permission] = true
		case r.kind == oneGroup:
			exact = append(exact, r)
		default:
			single, reason := s.addPattern(r)
			if reason != "" {
				ignored = append(ignored, Ignored{text, reason})
			} else if single != "" {
				r.group = single
				exact = append(exact, r)
			}
		}
	}
	// After the patterns, which the groups are relative to.
	for _, r := range exact {
		reason := ""
		if !wire.ValidGroup(r.group) {
			reason = fmt.Sprintf("it names no group: expected 1 to %d characters, not only white space", wire.MaxGroupName)
		} else if !s.Grant(r.permission, r.group) {
			reason = fmt.Sprintf("a connection has at most %d roles for single groups", MaxGroups)
		}
		if reason != "" {
			ignored = append(ignored, Ignored{r.text, reason})
		}
	}
	return s, ignored
}

// Allows reports whether the permission is given for a group, which is compared
// with case.
func (s *Set) Allows(p Permission, group string) bool {
	if s == nil {
		return false
	}
	r := s.rules[p]
	if r == nil {
		return s.all[p]
	}
	_, opposite := r.groups[group]
	return s.byRole(p, group) != opposite
}

// Grant gives a permission for one group, whatever was revoked before. It
// returns false, and changes nothing, when that takes more than [MaxGroups]
// groups.
func (s *Set) Grant(p Permission, group string) (ok bool) { return s.set(p, group, true) }

// Revoke takes a permission for one group away, whatever the roles say. It
// returns false, and changes nothing, when that takes more than [MaxGroups]
// groups.
func (s *Set) Revoke(p Permission, group string) (ok bool) { return s.set(p, group, false) }

func (s *Set) set(p Permission, group string, allow bool) (ok bool) {
	if s.Allows(p, group) == allow {
		return true
	}
	r := s.detail(p)
	if _, opposite := r.groups[group]; opposite {
		delete(r.groups, group)
		return true
	}
	if len(r.groups) >= MaxGroups {
		return false
	}
	if r.groups == nil {
		r.groups = make(map[string]struct{}, 1)
	}
	r.groups[group] = struct{}{}
	return true
}

// byRole is what the roles say that speak of more than one group.
func (s *Set) byRole(p Permission, group string) bool {
	return s.all[p] || slices.ContainsFunc(s.rules[p].patterns, func(pattern Pattern) bool { return pattern.Match(group) })
}

// addPattern takes in what a role with a pattern says about groups. Microsoft's
// emulator counts patterns the same way: neither ** nor one without wildcards,
// for which single is set and nothing else is done, takes a place.
func (s *Set) addPattern(r groupRole) (single, reason string) {
	pattern, err := CompilePattern(r.group)
	if err != nil {
		return "", err.Error()
	}
	if group, ok := pattern.literal(); ok {
		return group, ""
	}
	if pattern.matchesAll() {
		s.all[r.permission] = true
		return "", ""
	}
	detail := s.detail(r.permission)
	if len(detail.patterns) == MaxPatterns {
		return "", fmt.Sprintf("a connection has at most %d roles with patterns", MaxPatterns)
	}
	detail.patterns = append(detail.patterns, pattern)
	return "", ""
}

func (s *Set) detail(p Permission) *rules {
	if s.rules[p] == nil {
		s.rules[p] = &rules{}
	}
	return s.rules[p]
}

type roleKind int

const (
	everyGroup   roleKind = iota // webpubsub.sendToGroup
	oneGroup                     // webpubsub.sendToGroup.<group>
	groupPattern                 // webpubsub.sendToGroups.<pattern>
)

// A groupRole is a role that gives a permission.
type groupRole struct {
	text       string
	permission Permission
	kind       roleKind
	group      string // or the pattern
}

// parseRole takes a role apart. Ok is false for a role that gives none of the
// permissions.
func parseRole(text string) (_ groupRole, ok bool) {
	for p, name := range permissionNames {
		rest, ok := strings.CutPrefix(text, "webpubsub."+name)
		if !ok {
			continue
		}
		r := groupRole{text: text, permission: Permission(p)}
		if rest == "" {
			r.kind = everyGroup
			return r, true
		}
		if r.group, ok = strings.CutPrefix(rest, "."); ok {
			r.kind = oneGroup
			return r, true
		}
		if r.group, ok = strings.CutPrefix(rest, "s."); ok {
			r.kind = groupPattern
			return r, true
		}
	}
	return groupRole{}, false
}
