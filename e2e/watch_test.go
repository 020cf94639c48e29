package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever goes wrong in a page is noticed: otherwise the other tests would
// prove less than they seem to.
func TestTroubleIsNoticed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", "default-src 'self'; require-trusted-types-for 'script'")
			_, _ = io.WriteString(w, `<title>x</title><link rel="icon" href="data:,"><script>alert("inline")</script><script src="/script"></script>`)
		case "/script":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = io.WriteString(w, `
				console.error("on the console");
				fetch("/missing");
				fetch("http://127.0.0.1:1/").catch(() => {});
				setTimeout(() => { throw new Error("thrown"); });
				Promise.reject(new Error("rejected"));
				try { document.head.innerHTML = "<b>markup</b>"; } catch {}
				setTimeout(() => alert("asked"), 50);`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	page := startChromium(t).open(server.URL)
	var found []string
	for _, want := range []string{
		`console: "on the console"`, "exception: Error: thrown", "exception: Error: rejected",
		"/missing answered 404", "policy: connect-src forbids", "policy: script-src-elem forbids", "policy: require-trusted-types-for", `dialog: alert "asked"`,
	} {
		page.waitFor("it is noticed: "+want, func() bool {
			found = append(found, page.trouble.take()...)
			return strings.Contains(strings.Join(found, "\n"), want)
		})
	}
	page.trouble.tolerate("") // what else there is is the same again
	page.trouble.take()
}
