package wire

import (
	"net"
	"slices"
	"strings"
)

// MaxOrigins is how many hosts of one request are looked at. The sender chooses
// their number, and each is compared with the others and with the allowed ones.
const MaxOrigins = 32

// ParseOrigins splits the lines of a WebHook-Request-Origin header into its
// hosts: the service joins several by comma and space when a resource has
// custom domains or replicas. Spelling is kept, empty elements and duplicates
// (without case) are dropped, and so is what comes after [MaxOrigins].
func ParseOrigins(lines []string) []string {
	var origins []string
	for _, line := range lines {
		for rest := line; rest != ""; {
			var token string
			token, rest = cutListElement(rest)
			if token == "" || slices.ContainsFunc(origins, func(o string) bool { return strings.EqualFold(o, token) }) {
				continue
			}
			origins = append(origins, token)
			if len(origins) == MaxOrigins {
				return origins
			}
		}
	}
	return origins
}

// HasOrigin reports whether the lines name any host.
func HasOrigin(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Trim(line, ", \t\r\n") != "" })
}

// cutListElement takes the first element off a list that is separated by
// commas and white space. The element may be empty. It looks at no byte behind
// the element: lists come from unverified senders, and may be long.
func cutListElement(list string) (element, rest string) {
	for i := range len(list) {
		switch list[i] {
		case ',', ' ', '\t', '\r', '\n':
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}

// OriginHost reduces one received origin to the host to compare: lower case,
// without port. It is empty when the origin is no bare host: a URL, a star or
// any other text that cannot be a host matches nothing.
func OriginHost(origin string) string {
	host := origin
	if strings.Contains(origin, ":") {
		host = withoutPort(origin)
	}
	if !ValidHost(host) {
		return ""
	}
	return LowerHost(host)
}

// LowerHost returns a host with its ASCII letters in lower case, and no
// others: Unicode has letters whose lower case is an ASCII letter, and they
// make another host.
func LowerHost(host string) string {
	isUpper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	for i := range len(host) {
		if !isUpper(host[i]) {
			continue
		}
		lower := []byte(host)
		for j := i; j < len(lower); j++ {
			if isUpper(lower[j]) {
				lower[j] += 'a' - 'A'
			}
		}
		return string(lower)
	}
	return host
}

// withoutPort returns the host of host:port and of an IPv6 address in
// brackets, and anything else as it is.
func withoutPort(origin string) string {
	if h, port, err := net.SplitHostPort(origin); err == nil && isPort(port) {
		return h
	}
	if strings.HasPrefix(origin, "[") && strings.HasSuffix(origin, "]") {
		return origin[1 : len(origin)-1]
	}
	return origin
}

// ValidHost reports whether s consists of what host names and IP addresses
// are made of. Names outside ASCII are let through as they are.
func ValidHost(s string) bool {
	for i := range len(s) {
		if !hostBytes[s[i]] {
			return strings.Contains(s, ":") && net.ParseIP(s) != nil
		}
	}
	return s != ""
}

// hostBytes are the bytes of host names.
var hostBytes = func() (is [256]bool) {
	for c := range is {
		is[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c >= 0x80
	}
	return is
}()

func isPort(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 5
}
