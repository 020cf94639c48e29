package localca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/localca"
)

func open(t *testing.T, dir string) *localca.Authority {
	t.Helper()
	a, err := localca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func config(t *testing.T, a *localca.Authority, hosts ...string) *tls.Config {
	t.Helper()
	c, err := a.TLSConfig(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// authority reads the certificate as a client does.
func authority(t *testing.T, a *localca.Authority) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(readFile(t, a.CertFile()))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		t.Fatalf("%s is not one PEM block", a.CertFile())
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pool(t *testing.T, a *localca.Authority) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(readFile(t, a.CertFile())) {
		t.Fatalf("%s holds no certificate", a.CertFile())
	}
	return p
}

// handshake returns the client's error and the certificate that it was shown.
func handshake(t *testing.T, server *tls.Config, roots *x509.CertPool, host string) (*x509.Certificate, error) {
	t.Helper()
	// Not net.Pipe: both sides may write at once when one gives up.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	defer func() { <-done }()
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_ = tls.Server(conn, server).Handshake() // the client's error says more
		_ = conn.Close()
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		_ = listener.Close()
		t.Fatal(err)
	}
	defer conn.Close()
	client := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host})
	err = client.Handshake()
	if err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}

func TestHandshake(t *testing.T) {
	a := open(t, t.TempDir())
	roots := pool(t, a)
	server := config(t, a, "App.LOCALHOST.", "host.docker.internal", "127.0.0.9", "192.168.1.20", "fe80::1%eth0", "0.0.0.0", "::", "localhost", "::1")
	for host, ok := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "::1": true, "app.localhost": true,
		"host.docker.internal": true, "127.0.0.9": true, "192.168.1.20": true, "fe80::1": true,
		"127.0.0.2": false, "other.localhost": false, "example.com": false, "0.0.0.0": false,
	} {
		if _, err := handshake(t, server, roots, host); (err == nil) != ok {
			t.Errorf("handshake with %s: %v, want success: %v", host, err, ok)
		}
	}
	if _, err := handshake(t, server, pool(t, open(t, t.TempDir())), "localhost"); err == nil {
		t.Error("a client that trusts another authority accepts the server")
	}
}

func TestHosts(t *testing.T) {
	a := open(t, t.TempDir())
	for _, host := range []string{
		"example.com", "localhost.example.com", "notlocalhost", "latest", "8.8.8.8", "2606:4700::1111", "172.32.0.1", "::ffff:8.8.8.8",
		"", ".", "localhost:8080", "http://localhost", "*.localhost", "a..localhost", "ü.localhost", "[::1]", "::1.localhost",
		strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 125) + "test",
	} {
		if _, err := a.TLSConfig(host); err == nil {
			t.Errorf("TLSConfig(%q) succeeded, want an error", host)
		}
	}
}

func TestAuthority(t *testing.T) {
	a := open(t, t.TempDir())
	if !filepath.IsAbs(a.CertFile()) {
		t.Errorf("CertFile is %q, want an absolute path", a.CertFile())
	}
	cert := authority(t, a)
	if got := time.Until(cert.NotAfter); got < 9*365*24*time.Hour || got > 10*366*24*time.Hour {
		t.Errorf("the authority is good for %v, want about ten years", got)
	}
	if !cert.IsCA || !cert.MaxPathLenZero || !cert.PermittedDNSDomainsCritical || cert.KeyUsage != x509.KeyUsageCertSign {
		t.Errorf("got IsCA %v, MaxPathLenZero %v, critical constraints %v, key usage %b",
			cert.IsCA, cert.MaxPathLenZero, cert.PermittedDNSDomainsCritical, cert.KeyUsage)
	}
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(keyFile(a))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the key's mode is %#o, want 0600", got)
	}
}

// rogue is a server whose certificate was signed with the authority's key, but
// not by us.
func rogue(t *testing.T, a *localca.Authority, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	block, _ := pem.Decode(readFile(t, keyFile(a)))
	stolen, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		NotBefore:    time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"},
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, authority(t, a), key.Public(), stolen)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestConstraints(t *testing.T) {
	a := open(t, t.TempDir())
	roots := pool(t, a)
	tests := []struct {
		name   string
		host   string
		change func(*x509.Certificate)
		ok     bool
	}{
		{"a local name", "localhost", func(*x509.Certificate) {}, true},
		{"a public name", "example.com", func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, false},
		{"a public name beside a local one", "localhost", func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "example.com") }, false},
		{"a public address", "8.8.8.8", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(8, 8, 8, 8)} }, false},
		{"a public IPv6 address", "2606:4700::1111", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2606:4700::1111")} }, false},
	}
	for _, tt := range tests {
		if _, err := handshake(t, rogue(t, a, tt.change), roots, tt.host); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want success: %v", tt.name, err, tt.ok)
		}
	}
}

func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	first := open(t, dir)
	second := open(t, dir)
	if got, want := readFile(t, second.CertFile()), readFile(t, first.CertFile()); !bytes.Equal(got, want) {
		t.Error("the second Open has another authority")
	}
	if _, err := handshake(t, config(t, second), pool(t, first), "localhost"); err != nil {
		t.Error(err)
	}
}

func TestOpenAtOnce(t *testing.T) {
	dir := t.TempDir()
	authorities := make([]*localca.Authority, 16)
	errs := make([]error, len(authorities))
	var wg sync.WaitGroup
	for i := range authorities {
		wg.Go(func() { authorities[i], errs[i] = localca.Open(dir) })
	}
	wg.Wait()
	for i, a := range authorities {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if _, err := handshake(t, config(t, a), pool(t, authorities[0]), "localhost"); err != nil {
			t.Errorf("authority %d is another one: %v", i, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("got %d entries in the folder, want 1: %v", len(entries), entries)
	}
}

func keyFile(a *localca.Authority) string {
	return filepath.Join(filepath.Dir(a.CertFile()), "key.pem")
}

func TestDamage(t *testing.T) {
	write := func(name string, data []byte) error { return os.WriteFile(name, data, 0o600) }
	other := open(t, t.TempDir())
	tests := []struct {
		name   string
		damage func(a *localca.Authority) error
		want   string
	}{
		{"no certificate", func(a *localca.Authority) error { return os.Remove(a.CertFile()) }, "ca.pem is missing"},
		{"no key", func(a *localca.Authority) error { return os.Remove(keyFile(a)) }, "key.pem is missing"},
		{"empty certificate", func(a *localca.Authority) error { return write(a.CertFile(), nil) }, "ca.pem holds no PEM block"},
		{"empty key", func(a *localca.Authority) error { return write(keyFile(a), nil) }, "key.pem holds no PEM block"},
		{"huge key", func(a *localca.Authority) error { return write(keyFile(a), make([]byte, 1<<20)) }, "key.pem is not a file of at most"},
		{"certificate cut off", func(a *localca.Authority) error {
			block, _ := pem.Decode(readFile(t, a.CertFile()))
			block.Bytes = block.Bytes[:len(block.Bytes)/2]
			return write(a.CertFile(), pem.EncodeToMemory(block))
		}, "ca.pem holds no readable certificate"},
		{"key in place of the certificate", func(a *localca.Authority) error { return write(a.CertFile(), readFile(t, keyFile(a))) }, `no PEM block "CERTIFICATE"`},
		{"another certificate", func(a *localca.Authority) error { return write(a.CertFile(), readFile(t, other.CertFile())) }, "the key is not the certificate's"},
		{"another key", func(a *localca.Authority) error { return write(keyFile(a), readFile(t, keyFile(other))) }, "the key is not the certificate's"},
		{"garbage for a key", func(a *localca.Authority) error {
			return write(keyFile(a), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("S3cret")}))
		}, "key.pem holds no readable key"},
		{"a folder for a key", func(a *localca.Authority) error {
			return errors.Join(os.Remove(keyFile(a)), os.Mkdir(keyFile(a), 0o700))
		}, "key.pem is not a file"},
		{"no constraints", func(a *localca.Authority) error { return unbound(t, a) }, "not bound to local names"},
	}
	if runtime.GOOS != "windows" {
		tests = append(tests, struct {
			name   string
			damage func(a *localca.Authority) error
			want   string
		}{"readable key", func(a *localca.Authority) error { return os.Chmod(keyFile(a), 0o644) }, "0600 is expected"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			a := open(t, dir)
			if err := tt.damage(a); err != nil {
				t.Fatal(err)
			}
			_, err := localca.Open(dir)
			if err == nil {
				t.Fatal("Open succeeded")
			}
			for _, want := range []string{tt.want, "delete that folder", filepath.Dir(a.CertFile())} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %q, want it to have %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "S3cret") {
				t.Errorf("the error repeats the key: %q", err)
			}
			// What the error advises helps.
			if err := os.RemoveAll(filepath.Dir(a.CertFile())); err != nil {
				t.Fatal(err)
			}
			open(t, dir)
		})
	}
}

// unbound replaces an authority by one for the whole world.
func unbound(t *testing.T, a *localca.Authority) error {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.CertFile(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER}), 0o644); err != nil {
		return err
	}
	return os.WriteFile(keyFile(a), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localca.Open(file); err == nil {
		t.Error("Open of a file succeeded")
	}
}

func TestTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := open(t, dir)
		roots := pool(t, a)
		server := config(t, a)
		shown := func() *x509.Certificate {
			t.Helper()
			cert, err := handshake(t, server, roots, "localhost")
			if err != nil {
				t.Fatal(err)
			}
			return cert
		}
		first := shown()
		if got := first.NotAfter.Sub(first.NotBefore); got > 397*24*time.Hour {
			t.Errorf("the certificate is good for %v, want at most 397 days", got)
		}
		time.Sleep(24 * time.Hour)
		if !shown().Equal(first) {
			t.Error("the certificate was replaced after a day")
		}
		// A server that runs for years never shows an old certificate.
		for range 100 {
			time.Sleep(31 * 24 * time.Hour)
			if cert := shown(); time.Until(cert.NotAfter) < 24*time.Hour {
				t.Fatalf("on %v a certificate is shown that ends on %v", time.Now(), cert.NotAfter)
			}
		}
		if shown().Equal(first) {
			t.Error("the certificate was never replaced")
		}

		end := authority(t, a).NotAfter
		time.Sleep(time.Until(end) - time.Hour)
		if got := shown().NotAfter; got.After(end) {
			t.Errorf("a certificate ends on %v, after its authority on %v", got, end)
		}
		open(t, dir)
		time.Sleep(2 * time.Hour)
		if _, err := handshake(t, server, roots, "localhost"); err == nil {
			t.Error("an expired authority still signs")
		}
		if _, err := localca.Open(dir); err == nil || !strings.Contains(err.Error(), "expired on "+end.Format(time.DateOnly)) {
			t.Errorf("got error %v, want one that tells when the authority expired", err)
		}
		if _, err := a.TLSConfig(); err == nil {
			t.Error("TLSConfig of an expired authority succeeded")
		}
	})
}

func TestClockBeforeAuthority(t *testing.T) {
	dir := t.TempDir()
	open(t, dir) // now, by the real clock
	synctest.Test(t, func(t *testing.T) {
		// The clock of a bubble starts in the year 2000.
		if _, err := localca.Open(dir); err == nil || !strings.Contains(err.Error(), "the clock says 2000-01-01") {
			t.Errorf("got error %v, want one about the clock", err)
		}
	})
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("AppData", `C:\me`)
	got, err := localca.DefaultDir()
	if err != nil || filepath.Base(got) != "webpubsub" {
		t.Errorf("got %q, %v, want a folder webpubsub", got, err)
	}
	for _, name := range []string{"HOME", "home", "AppData"} {
		t.Setenv(name, "")
	}
	if got, err := localca.DefaultDir(); err == nil {
		t.Errorf("without a home: got %q, want an error", got)
	}
}
