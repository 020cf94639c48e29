package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

const (
	// leafLife is well below the 397 days beyond which clients refuse a server's
	// certificate.
	leafLife = 90 * 24 * time.Hour

	// renewBefore is how long before its end a certificate is replaced.
	renewBefore = leafLife / 3
)

// TLSConfig returns a configuration for servers, with a certificate for
// localhost, 127.0.0.1, ::1 and the given hosts: names, without regard to case, or
// addresses, without brackets and port. An address that stands for all (0.0.0.0, ::) is
// nobody's name and is left out.
//
// The certificate is good for 90 days, lives in memory, and is replaced by
// itself for as long as the configuration is in use. A host that the authority
// may not vouch for is an error.
func (a *Authority) TLSConfig(hosts ...string) (*tls.Config, error) {
	l := &leaf{
		authority: a,
		names:     []string{"localhost"},
		addrs:     []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()},
	}
	for _, host := range hosts {
		if err := l.add(host); err != nil {
			return nil, fmt.Errorf("localca: %w", err)
		}
	}
	if _, err := l.certificate(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.certificate}, nil
}

// A leaf is the certificate of one server.
type leaf struct {
	// static after construction
	authority *Authority
	names     []string
	addrs     []netip.Addr

	// guards what follows
	mu      sync.Mutex
	current *tls.Certificate
}

// add has a further host on the certificate.
func (l *leaf) add(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap().WithZone("")
		switch {
		case addr.IsUnspecified() || slices.Contains(l.addrs, addr):
			return nil
		case !l.authority.permitsAddr(addr):
			return fmt.Errorf("no certificate for %s: the authority may vouch for loopback, private and link-local addresses only", addr)
		}
		l.addrs = append(l.addrs, addr)
		return nil
	}
	name := wire.LowerHost(strings.TrimSuffix(host, "."))
	switch {
	case !validName(name):
		return fmt.Errorf("%.100q is no host: a name in ASCII or an address is expected, without scheme, brackets and port", host)
	case slices.Contains(l.names, name):
		return nil
	case !l.authority.permitsName(name):
		return fmt.Errorf("no certificate for %s: the authority may vouch for names below %s only",
			name, strings.Join(l.authority.cert.PermittedDNSDomains, ", "))
	}
	l.names = append(l.names, name)
	return nil
}

// validName reports whether s is made as names in DNS are.
func validName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(c rune) bool { return c > 0x7f || c == ':' }) || !wire.ValidHost(label) {
			return false
		}
	}
	return true
}

func (a *Authority) permitsName(name string) bool {
	return slices.ContainsFunc(a.cert.PermittedDNSDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

func (a *Authority) permitsAddr(addr netip.Addr) bool {
	return slices.ContainsFunc(a.cert.PermittedIPRanges, func(r *net.IPNet) bool { return r.Contains(addr.AsSlice()) })
}

// certificate implements tls.Config.GetCertificate. Clients that ask for
// another name get the same certificate, and say themselves what is wrong.
func (l *leaf) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.current != nil && now.Before(l.current.Leaf.NotAfter.Add(-renewBefore)) {
		return l.current, nil
	}
	fresh, err := l.authority.issue(now, l.names, l.addrs)
	if err != nil {
		return nil, fmt.Errorf("localca: %w", err)
	}
	l.current = fresh
	return fresh, nil
}

// issue makes a key and signs a certificate for it.
func (a *Authority) issue(now time.Time, names []string, addrs []netip.Addr) (*tls.Certificate, error) {
	end := now.Add(leafLife)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter // no longer than its authority
	}
	if !now.Before(end) {
		return nil, errors.New("the authority has expired")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"webpubsub"}},
		NotBefore:   now.Add(-clockSkew),
		NotAfter:    end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names,
	}
	for _, addr := range addrs {
		template.IPAddresses = append(template.IPAddresses, addr.AsSlice())
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}, nil
}
