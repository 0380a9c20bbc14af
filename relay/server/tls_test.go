package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"autoreview/relay"
	"autoreview/relay/client"
	"autoreview/relay/server"
)

// newPair returns a certificate for loopback and its key, in PEM.
func newPair(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "relay"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// serial is that of the certificate which a relay shows in a new handshake.
func serial(t *testing.T, addr string, c *tls.Config) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, c)
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// lockedBuffer is a buffer that a logger may write to meanwhile.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestTLS(t *testing.T) {
	var said lockedBuffer
	c := testConfig(t)
	c.TLSCert, c.TLSKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	cert, key := newPair(t, 1)
	put(t, c.TLSCert, cert)
	put(t, c.TLSKey, key)
	s, err := server.Open(t.Context(), server.Options{Config: c, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	addr := s.Addr().String()
	insecure := &tls.Config{InsecureSkipVerify: true}

	t.Run("every door by https", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(cert)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		c := client.New(client.Options{BaseURL: s.URL(), HTTP: &http.Client{Transport: tr}})
		p, err := c.Post(t.Context(), relay.Draft{Target: "a", Sender: "claude", Text: "x"})
		if err != nil || p.ID != 1 || !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
			t.Fatalf("Post at %s: got %+v, %v", s.URL(), p, err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/messages", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", s.URL()) // as the page sends it
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Proto != "HTTP/1.1" || resp.TLS.Version < tls.VersionTLS12 {
			t.Errorf("the page's request: got %s by %s", resp.Status, resp.Proto)
		}
	})
	t.Run("old versions and plain http are refused", func(t *testing.T) {
		if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
			conn.Close()
			t.Error("TLS 1.1 was accepted")
		}
		resp, err := http.Get("http://" + addr + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusBadRequest || strings.Contains(string(b), "ok") {
			t.Errorf("plain http: got %s %s, %v, want 400", resp.Status, b, err)
		}
	})
	t.Run("a renewed certificate is used without a restart", func(t *testing.T) {
		if got := serial(t, addr, insecure); got != 1 {
			t.Fatalf("serial: got %d, want 1", got)
		}
		cert, key := newPair(t, 2)
		put(t, c.TLSCert, cert)
		// The key is not its own yet: the pair before stays in use.
		if got := serial(t, addr, insecure); got != 1 || !strings.Contains(said.String(), "changed certificate cannot be used") {
			t.Errorf("half renewed: got %d and %s, want 1 and a word about it", got, said.String())
		}
		before := strings.Count(said.String(), "cannot be used")
		if serial(t, addr, insecure); strings.Count(said.String(), "cannot be used") != before {
			t.Error("the same broken pair is said twice")
		}
		put(t, c.TLSKey, key)
		if got := serial(t, addr, insecure); got != 2 || !strings.Contains(said.String(), "certificate read again") {
			t.Errorf("renewed: got %d, want 2", got)
		}
		if err := os.Remove(c.TLSKey); err != nil {
			t.Fatal(err)
		}
		if got := serial(t, addr, insecure); got != 2 {
			t.Errorf("with a file gone: got %d, want 2", got)
		}
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestUnusableCertificate(t *testing.T) {
	c := testConfig(t)
	cert, _ := newPair(t, 1)
	_, key := newPair(t, 2)
	c.TLSCert, c.TLSKey = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, files := range map[string][2][]byte{"of two pairs": {cert, key}, "garbage": {[]byte("x"), []byte("y")}, "none": {}} {
		if files[0] != nil {
			put(t, c.TLSCert, files[0])
			put(t, c.TLSKey, files[1])
		} else {
			_ = os.Remove(c.TLSCert)
		}
		_, err := server.Open(t.Context(), server.Options{Config: c})
		if err == nil || !strings.Contains(err.Error(), "reading the certificate: ") {
			t.Errorf("%s: got %v, want an error about the certificate", name, err)
		}
	}
}
