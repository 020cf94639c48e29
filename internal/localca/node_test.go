package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// script asks the server on the port in its first argument, under the name in
// the second, wherever that name leads otherwise.
const script = `
const [port, name] = process.argv.slice(1);
require("node:https").get({host: "127.0.0.1", port, path: "/", servername: name.includes(":") || /^[0-9.]+$/.test(name) ? "" : name,
  headers: {host: name}, agent: false,
  checkServerIdentity: (_, cert) => require("node:tls").checkServerIdentity(name, cert)}, (res) => {
  res.setEncoding("utf8").on("data", (text) => process.stdout.write(text));
}).on("error", (err) => { process.stdout.write(err.code + " " + err.message); });
`

// TestNode has Node.js, and by that OpenSSL, judge the authority.
func TestNode(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		const reason = "node is not on PATH: install Node.js 20 or later to try the authority with it"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	a := open(t, t.TempDir())
	own := config(t, a)
	public := func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }
	address := func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(8, 8, 8, 8)} }
	tests := []struct {
		name    string
		server  *tls.Config
		host    string
		trusted bool
		want    string
	}{
		{"name", own, "localhost", true, "hello"},
		{"IPv4 address", own, "127.0.0.1", true, "hello"},
		{"IPv6 address", own, "::1", true, "hello"},
		{"another name", own, "example.com", true, "ERR_TLS_CERT_ALTNAME_INVALID"},
		{"not trusted", own, "localhost", false, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
		{"public name", rogue(t, a, public), "example.com", true, "permitted subtree violation"},
		{"public address", rogue(t, a, address), "8.8.8.8", true, "permitted subtree violation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			listener, err := tls.Listen("tcp", "127.0.0.1:0", tt.server)
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{
				Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
				ErrorLog: log.New(io.Discard, "", 0), // clients that refuse the certificate
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				_ = server.Serve(listener)
			}()
			t.Cleanup(func() {
				_ = server.Close()
				<-served
			})
			_, port, _ := net.SplitHostPort(listener.Addr().String())
			node := exec.CommandContext(t.Context(), "node", "-e", script, port, tt.host)
			node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS=", "NODE_OPTIONS=", "NODE_TLS_REJECT_UNAUTHORIZED=")
			if tt.trusted {
				node.Env = append(node.Env, "NODE_EXTRA_CA_CERTS="+a.CertFile())
			}
			out, err := node.CombinedOutput()
			if err != nil {
				t.Fatalf("node: %v\n%s", err, out)
			}
			if got := string(out); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want it to have %q", got, tt.want)
			}
		})
	}
}
