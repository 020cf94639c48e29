// Package localca is a certificate authority for one developer's machine. It is
// made on first use and kept in a folder, so that a client has to be told about
// it only once:
//
//	NODE_EXTRA_CA_CERTS=<CertFile> node client.mjs
//	SSL_CERT_FILE=<CertFile> go run ./client
//	curl --cacert <CertFile> https://localhost:8443
//
// Whoever holds the key of an authority can pass for every server to those who
// trust it. This one is therefore bound to names that no public server has: its
// certificate carries critical name constraints (RFC 5280, section 4.2.1.10),
// may sign no further authorities, and is good for servers only. Go, OpenSSL,
// Node.js and Chromium hold an authority to that even when it is trusted as a
// root. The names are:
//
//   - localhost and all names below it, and loopback addresses;
//   - names below test, which RFC 2606 reserves;
//   - names below docker.internal and containers.internal, by which containers
//     reach their host;
//   - private (RFC 1918, RFC 4193) and link-local addresses, for other devices on
//     the same network.
package localca

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// authorityLife is how long an authority is good for.
	authorityLife = 10 * 365 * 24 * time.Hour

	// clockSkew is how far the clock of a client, in a virtual machine for
	// instance, may be behind.
	clockSkew = time.Hour
)

// The folder of an authority below the one that [Open] is given, and its files.
// The folder appears with both files in it or not at all.
const (
	folder   = "ca"
	certName = "ca.pem"
	keyName  = "key.pem"
)

// An Authority signs certificates for servers on this machine. Its methods may
// be called by several goroutines at once.
type Authority struct {
	certFile string
	cert     *x509.Certificate
	key      *ecdsa.PrivateKey
}

// DefaultDir returns the folder for what the command keeps for its user, such
// as ~/.config/webpubsub on Linux. It fails when the environment names no such
// place.
func DefaultDir() (string, error) {
	config, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("localca: there is no folder for settings: %w", err)
	}
	return filepath.Join(config, "webpubsub"), nil
}

// Open returns the authority in dir, and makes both if there is none. Processes
// that do so at the same time end up with the same authority.
//
// A new authority is good for about ten years. One that has expired, that is
// damaged, or whose key others can read is an error that names the folder to
// delete: to replace it unasked would leave clients with a certificate that is
// worth nothing.
func Open(dir string) (*Authority, error) {
	// CertFile has to hold in processes with another working directory.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("localca: %w", err)
	}
	a, err := load(filepath.Join(dir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(dir); err != nil {
			return nil, fmt.Errorf("localca: cannot make an authority: %w", err)
		}
		a, err = load(filepath.Join(dir, folder))
	}
	if err != nil {
		return nil, fmt.Errorf("localca: %w", err)
	}
	return a, nil
}

// CertFile returns the absolute path of the authority's certificate, in PEM and
// without the key: what clients have to trust.
func (a *Authority) CertFile() string { return a.certFile }
