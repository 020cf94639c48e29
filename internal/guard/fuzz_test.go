package guard_test

import (
	"net"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gowebpubsub/webpubsub/internal/guard"
)

var localName = regexp.MustCompile(`(?i)^([a-z0-9_-]+\.)*localhost\.?$`)

// ownHost is an independent, looser reading of what may pass without options:
// a name that is this machine's, or an address.
func ownHost(authority string) bool {
	u, err := url.Parse("http://" + authority)
	if err != nil || u.Host != authority || u.User != nil {
		return false
	}
	return localName.MatchString(u.Hostname()) || net.ParseIP(u.Hostname()) != nil
}

// ownOrigin reads an origin with net/url.
func ownOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return localName.MatchString(u.Hostname()) || ip != nil && (ip.IsLoopback() || samePlace(origin, host))
}

// samePlace reports whether an origin has the name or address, and the port, of
// a host.
func samePlace(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	h, err := url.Parse(u.Scheme + "://" + host)
	if err != nil {
		return false
	}
	port := func(u *url.URL) string {
		if u.Port() == "" {
			return map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		return u.Port()
	}
	ip, hostIP := net.ParseIP(u.Hostname()), net.ParseIP(h.Hostname())
	name := func(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }
	return port(u) == port(h) && (ip != nil && ip.Equal(hostIP) || ip == nil && name(u) == name(h))
}

// FuzzCheck asserts that nothing foreign passes: what the guard accepts, another
// reader must see as this machine's.
func FuzzCheck(f *testing.F) {
	for _, host := range []string{"localhost:8080", "a.localhost.", "127.0.0.1", "[::1]:80", "192.168.1.20:8080", "[2001:DB8::1]", "evil.example", "127.1", "localhost:"} {
		for _, origin := range []string{
			"http://localhost:5173", "https://127.0.0.1", "http://[::1]:80", "http://192.168.1.20:8080", "http://[2001:db8::1]", "null",
			"http://evil.example", "http://localhost.evil.example", "http://localhost@evil.example", "http://evil.example#.localhost", "file://", "",
		} {
			f.Add(host, origin)
		}
	}
	plain, own := newGuard(f, nil), newGuard(f, &guard.Options{OwnOrigin: true})
	f.Fuzz(func(t *testing.T, host, origin string) {
		err := plain.Check(request("GET", host))
		if err == nil && !ownHost(host) {
			t.Errorf("host %q passes", host)
		}
		if err := plain.Check(request("GET", host, "Origin", origin)); err == nil && (!ownHost(host) || !ownOrigin(origin, host)) {
			t.Errorf("origin %q passes with host %q", origin, host)
		}
		if err := own.Check(request("GET", host, "Origin", origin)); err == nil && (!ownHost(host) || !samePlace(origin, host)) {
			t.Errorf("origin %q passes as that of host %q", origin, host)
		}
		// The value that a refusal advises is one that helps.
		err = plain.Check(request("GET", host))
		if err == nil {
			err = plain.Check(request("GET", host, "Origin", origin))
		}
		if err == nil {
			return
		}
		var options guard.Options
		if _, value, found := strings.Cut(err.Error(), "--allow-host "); found {
			options.AllowedHosts = []string{value}
			check(t, "allowed host "+value, newGuard(t, &options).Check(request("GET", host)), "")
		} else if _, value, found := strings.Cut(err.Error(), "--allow-origin "); found {
			options.AllowedOrigins = []string{value}
			check(t, "allowed origin "+value, newGuard(t, &options).Check(request("GET", host, "Origin", origin)), "")
		}
	})
}
