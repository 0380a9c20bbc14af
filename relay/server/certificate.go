package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// certificate is a certificate and its key in two files. They are looked at in
// each handshake and read again when one of them has changed, so that a renewed
// certificate is used without a restart. A pair that cannot be used, such as
// one of which half is written, leaves the one before in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate // guarded by mu
	// tried are the states of the files that were read last, usable or not;
	// guarded by mu.
	tried [2]fs.FileInfo
}

// openCertificate reads both files for the first time.
func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	tried, err := c.stat()
	if err == nil {
		err = c.loadLocked(tried) // nobody else knows it yet
	}
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return c, nil
}

// get is a tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now, err := c.stat()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || same(now[0], c.tried[0]) && same(now[1], c.tried[1]) {
		// While a file is being replaced it may not be there.
		return c.current, nil
	}
	if err := c.loadLocked(now); err != nil {
		c.log.Error("changed certificate cannot be used, keeping the one before", "cert", c.certFile, "key", c.keyFile, "err", err)
	} else {
		c.log.Info("certificate read again", "cert", c.certFile, "not_after", c.current.Leaf.NotAfter)
	}
	return c.current, nil
}

func (c *certificate) stat() (states [2]fs.FileInfo, err error) {
	for i, path := range []string{c.certFile, c.keyFile} {
		if states[i], err = os.Stat(path); err != nil {
			return states, err
		}
	}
	return states, nil
}

func (c *certificate) loadLocked(tried [2]fs.FileInfo) error {
	c.tried = tried
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if pair.Leaf == nil {
		return errors.New("the certificate has no leaf")
	}
	c.current = &pair
	return nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// tlsConfig offers HTTP/1.1 only: the doors bound the time of each write by the
// deadlines of the connection, which a stream has for itself there.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}
