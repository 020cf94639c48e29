package settingsfile

import "strings"

// overlay puts what the environment says over what the file says. An
// environment that names something below a value of the file replaces the
// value.
func (b *binder) overlay(root *node, environ []string) {
	// The variable of ASP.NET Core counts less than the general one.
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); fold(name) == "aspnetcore_urls" {
			root.set([]string{"Urls"}, name, value)
		}
	}
	spellings := make(map[string]string)
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		folded := fold(name)
		if !ok || folded != "urls" && !strings.HasPrefix(folded, "webpubsub__") {
			continue
		}
		if other := spellings[folded]; other != "" && other != name {
			b.warnf(place{variable: name}, "it wins over %.64q, which is the same name in another spelling", other)
		}
		spellings[folded] = name
		root.set(strings.Split(name, "__"), name, value)
	}
}

// set gives the value at a path the text of a variable.
func (n *node) set(path []string, variable, value string) {
	at := place{variable: variable}
	for _, name := range path {
		switch n.kind {
		case kindNone, kindObject, kindList:
		default:
			n.kind, n.place = kindNone, at
		}
		n = n.member(name, at)
	}
	n.kind, n.text, n.place = kindString, value, at
}
