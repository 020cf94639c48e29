package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// The types of the PEM blocks.
const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY" // PKCS #8
)

// permittedDomains and permittedRanges are the names and addresses that a new
// authority may vouch for. A domain includes itself and all below it.
var (
	permittedDomains = []string{"localhost", "test", "docker.internal", "containers.internal"}
	permittedRanges  = mustParseRanges(
		"127.0.0.0/8", "::1/128",
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7",
		"169.254.0.0/16", "fe80::/10",
	)
)

func mustParseRanges(ranges ...string) []*net.IPNet {
	parsed := make([]*net.IPNet, len(ranges))
	for i, r := range ranges {
		_, ipNet, err := net.ParseCIDR(r)
		if err != nil {
			panic(err)
		}
		parsed[i] = ipNet
	}
	return parsed
}

// create makes an authority in dir, unless another process does so first. The
// folder is filled under another name and then renamed: a rename never puts a
// folder in the place of one that has files in it, so the first one stays.
func create(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, folder+"-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // nothing is left of it when it was renamed
	cert, key, err := generate(time.Now())
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(temp, certName), 0o644, &pem.Block{Type: certBlock, Bytes: cert}); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(temp, keyName), 0o600, &pem.Block{Type: keyBlock, Bytes: key}); err != nil {
		return err
	}
	final := filepath.Join(dir, folder)
	err = os.Rename(temp, final)
	if _, statErr := os.Stat(final); statErr == nil {
		return nil
	}
	return err
}

// generate returns a new authority's certificate and key in DER.
func generate(now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if key, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return nil, nil, err
	}
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	template := &x509.Certificate{
		// Stores of certificates look authorities up by their names.
		Subject:                     pkix.Name{Organization: []string{"webpubsub"}, CommonName: fmt.Sprintf("webpubsub local authority %x", id)},
		NotBefore:                   now.Add(-clockSkew),
		NotAfter:                    now.Add(authorityLife),
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		PermittedDNSDomainsCritical: true, // and of addresses: the extension is one
		PermittedDNSDomains:         permittedDomains,
		PermittedIPRanges:           permittedRanges,
	}
	cert, err = x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	return cert, key, err
}

func writeFile(name string, mode fs.FileMode, block *pem.Block) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	// The rename must not reach the disk before what is renamed.
	return errors.Join(pem.Encode(f, block), f.Sync(), f.Close())
}

// load reads the authority in a folder. The error is fs.ErrNotExist when there
// is no such folder, and only then.
func load(dir string) (*Authority, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	a := &Authority{certFile: filepath.Join(dir, certName)}
	if err := a.read(filepath.Join(dir, keyName)); err != nil {
		// %v: a file that is missing is damage.
		return nil, fmt.Errorf("the authority in %s cannot be used: %v; delete that folder to get a new one, and let clients trust that", dir, err)
	}
	return a, nil
}

func (a *Authority) read(keyFile string) error {
	certDER, err := readFile(a.certFile, certBlock)
	if err != nil {
		return err
	}
	if err := checkPrivate(keyFile); err != nil {
		return err
	}
	keyDER, err := readFile(keyFile, keyBlock)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(certDER); err != nil {
		return fmt.Errorf("%s holds no readable certificate", certName)
	}
	private, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return fmt.Errorf("%s holds no readable key", keyName)
	}
	var ok bool
	if a.key, ok = private.(*ecdsa.PrivateKey); !ok {
		return fmt.Errorf("%s holds a %T, an ECDSA key is expected", keyName, private)
	}
	return a.check(time.Now())
}

// check reports what would make clients refuse the authority, and an authority
// that is bound to no names: nobody should trust that, and we did not make it.
func (a *Authority) check(now time.Time) error {
	switch {
	case !a.key.PublicKey.Equal(a.cert.PublicKey):
		return errors.New("the key is not the certificate's")
	case !a.cert.IsCA || !a.cert.MaxPathLenZero:
		return errors.New("the certificate is not that of an authority for servers")
	case !a.cert.PermittedDNSDomainsCritical || len(a.cert.PermittedDNSDomains) == 0 || len(a.cert.PermittedIPRanges) == 0:
		return errors.New("the certificate is not bound to local names and addresses")
	case !now.Before(a.cert.NotAfter):
		return fmt.Errorf("the certificate expired on %s", a.cert.NotAfter.Format(time.DateOnly))
	case now.Before(a.cert.NotBefore):
		return fmt.Errorf("the certificate is good from %s on, and the clock says %s",
			a.cert.NotBefore.Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return nil
}

// maxFile is far more than a certificate or a key takes.
const maxFile = 64 << 10

func readFile(name, blockType string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is missing", filepath.Base(name))
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", filepath.Base(name), maxFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != blockType {
		return nil, fmt.Errorf("%s holds no PEM block %q", filepath.Base(name), blockType)
	}
	return block.Bytes, nil
}

// checkPrivate refuses a key that other users can read. Windows keeps what is
// below the user's folder from them, and has no such bits.
func checkPrivate(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil // readFile reports what is missing
	}
	return fmt.Errorf("other users can read or change %s (its mode is %#o, 0600 is expected)", filepath.Base(name), info.Mode().Perm())
}
