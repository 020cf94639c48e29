package wire

import "strings"

// DisplayURL returns a URL without user and without the values of its query,
// where functions have their keys.
func DisplayURL(template string) string {
	base, query, _ := strings.Cut(template, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	host, path, slash := strings.Cut(rest, "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if slash {
		host += "/"
	}
	if query != "" {
		query = "?…"
	}
	return scheme + "://" + host + path + query
}
