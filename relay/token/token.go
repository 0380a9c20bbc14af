// Package token keeps the bearer tokens of a relay, in one file of its data
// folder. A token is 256 random bits, shown once when it is made; only its
// SHA-256 is stored, so the file lets nobody in. There is no salt and no slow
// hash because there is nothing to guess.
//
//	s := token.Open(filepath.Join(data, token.File))
//	secret, err := s.New(token.Token{Name: "claude", Senders: []string{"claude"}})
//	access, err := s.Access(secret) // in the relay, at each request
//
// Tokens are off as long as there is no file. Revoking the last one leaves them
// on, with nobody let in: a relay must not open up because a token was taken
// back. To go without tokens again one removes the file.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"autoreview/relay"
)

// File is the name of the file in the data folder.
const File = "tokens.json"

// Prefix begins every secret, so that a scanner can tell one when it sees it.
const Prefix = "rly_"

// Token is what is known of a token. Nothing in it is secret.
type Token struct {
	// Name is unique; it names the token in logs and to revoke it.
	Name string `json:"name"`
	// Senders are who its bearer may post as; none means anybody.
	Senders []string `json:"senders"`
	// Channels are what its bearer may read and post to; none means all.
	Channels []string `json:"channels"`
	// ReadOnly takes away posting.
	ReadOnly bool `json:"read_only"`
	// Created is set by New.
	Created time.Time `json:"created"`
	// Expires is when it ends; the zero time is never.
	Expires time.Time `json:"expires,omitzero"`
}

// Expired reports whether the token has ended at a time.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// clean trims and checks a token that is to be made.
func (t Token) clean() (Token, error) {
	t.Name = strings.TrimSpace(t.Name)
	if err := checkName("name", t.Name); err != nil {
		return t, err
	}
	var err error
	if t.Senders, err = cleanNames("senders", t.Senders); err != nil {
		return t, err
	}
	t.Channels, err = cleanNames("channels", t.Channels)
	return t, err
}

func cleanNames(what string, names []string) ([]string, error) {
	out := make([]string, 0, len(names))
	for _, name := range names {
		name = strings.TrimSpace(name)
		// A name that nothing can have would make a token that is good for
		// nothing, and an empty one could be taken for "all".
		if err := checkName(what, name); err != nil {
			return nil, err
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// checkName holds a name to what a message's sender and channel may be.
func checkName(what, name string) error {
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > relay.MaxNameChars || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%s: want 1 to %d characters without control characters, not %q", what, relay.MaxNameChars, name)
	}
	return nil
}

// hash is what is stored of a secret.
type hash [sha256.Size]byte

func hashOf(secret string) hash { return sha256.Sum256([]byte(secret)) }

// MarshalText writes it as "sha256:" and hex digits.
func (h hash) MarshalText() ([]byte, error) {
	return []byte(hashPrefix + hex.EncodeToString(h[:])), nil
}

// UnmarshalText reads what MarshalText writes.
func (h *hash) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), hashPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("want %s and %d hex digits", hashPrefix, hex.EncodedLen(len(h)))
	}
	_, err := hex.Decode(h[:], []byte(digits))
	return err
}

const hashPrefix = "sha256:"

func newSecret() string {
	var random [32]byte
	// Read never fails and always fills it.
	_, _ = rand.Read(random[:])
	return Prefix + base64.RawURLEncoding.EncodeToString(random[:])
}
