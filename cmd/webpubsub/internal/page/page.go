// Package page serves the web pages of the command: files that are embedded in
// it, under a policy that lets them load nothing from anywhere else.
package page

import (
	"io/fs"
	"net/http"
	"strings"
)

// Handler serves the files of a folder; index.html is the page itself. The page
// may run its own scripts and talk to its own server, by WebSocket too, and to
// nobody else.
func Handler(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(r.Host))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // the files change with the command
		server.ServeHTTP(w, r)
	})
}

// policy returns a Content-Security-Policy. Not all browsers count the
// WebSockets of the page's own host as its own, so that host is named.
func policy(host string) string {
	connect := "connect-src 'self'"
	if host != "" && !strings.ContainsAny(host, " \t;,'\"*") {
		connect += " ws://" + host + " wss://" + host
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", connect,
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}
