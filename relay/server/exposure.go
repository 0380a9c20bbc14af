package server

import (
	"fmt"
	"path/filepath"

	"autoreview/relay/config"
	"autoreview/relay/token"
)

// ExposedError says that the relay would listen beyond this machine and let
// everybody in.
type ExposedError struct {
	// Addr is where it would listen.
	Addr string
	// Data is the folder that has no tokens.
	Data string
}

// Error names the address.
func (e *ExposedError) Error() string {
	return fmt.Sprintf("listening on %s lets everybody who reaches it read and post everything: there are no tokens", e.Addr)
}

// Hint says what the user can do.
func (e *ExposedError) Hint() string {
	return fmt.Sprintf("make a token first: relay token new --name claude --data %q; or let everybody in with --insecure", e.Data)
}

// openTokens finds the tokens of a relay. One that listens beyond this machine
// must have some, unless it is told to do without, and goes on needing them
// when their file is removed.
func openTokens(c config.Config) (*token.Store, error) {
	s := token.Open(filepath.Join(c.Data, token.File))
	_, on, err := s.List()
	if err != nil {
		return nil, err
	}
	if !loopback(c.Host) && !c.Insecure {
		if !on {
			return nil, &ExposedError{Addr: c.Addr(), Data: c.Data}
		}
		s.Require = true
	}
	return s, nil
}

// sayExposure tells the operator who is let in.
func (s *Server) sayExposure() {
	beyond := !loopback(s.config.Host)
	switch on := s.TokensOn(); {
	case beyond && !on:
		s.logger.Warn("LISTENING BEYOND THIS MACHINE WITHOUT TOKENS: whoever reaches this address can read and post everything",
			"addr", s.Addr().String(), "allowed_hosts", s.config.AllowedHosts)
	case beyond && s.config.TLSCert == "":
		s.logger.Warn("tokens and messages travel unencrypted beyond this machine: give it a certificate, or a proxy that ends TLS",
			"addr", s.Addr().String(), "allowed_hosts", s.config.AllowedHosts)
	}
}

// TokensOn reports whether requests need a token now.
func (s *Server) TokensOn() bool {
	_, on, err := s.tokens.List()
	return on || err != nil
}
