package token

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"autoreview/relay"
)

// ErrNoSuchToken says that there is no token of that name.
var ErrNoSuchToken = errors.New("there is no such token")

// ErrNameTaken says that there is a token of that name already.
var ErrNameTaken = errors.New("there is a token of that name already")

// Store is the tokens of one relay. Make one with Open; it is safe for
// concurrent use, also by several processes.
type Store struct {
	path string
	// Require keeps tokens on also when there is no file: nobody is let in
	// then. Set it before the first use.
	Require bool

	seen atomic.Pointer[snapshot] // the file as it was read last
}

// Open returns the tokens that a file keeps. It reads nothing; there need not
// be such a file.
func Open(path string) *Store { return &Store{path: path} }

// Path is the file.
func (s *Store) Path() string { return s.path }

// stored is a token as the file has it.
type stored struct {
	Token
	Hash hash `json:"hash"`
}

// New makes a token, stores it and returns its secret, which is not kept. The
// error is ErrNameTaken when the name is in use, also by an expired token.
func (s *Store) New(t Token) (secret string, err error) {
	t, err = t.clean()
	if err != nil {
		return "", err
	}
	t.Created = time.Now().UTC().Truncate(time.Second)
	t.Expires = t.Expires.UTC()
	secret = newSecret()
	err = s.change(func(all []stored) ([]stored, error) {
		if slices.ContainsFunc(all, func(old stored) bool { return old.Name == t.Name }) {
			return nil, fmt.Errorf("making token %q: %w", t.Name, ErrNameTaken)
		}
		return append(all, stored{t, hashOf(secret)}), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Revoke takes a token back. A relay that runs refuses it from its next request
// on. The error is ErrNoSuchToken when there is none of that name. left is how
// many tokens remain.
func (s *Store) Revoke(name string) (left int, err error) {
	err = s.change(func(all []stored) ([]stored, error) {
		kept := slices.DeleteFunc(slices.Clone(all), func(t stored) bool { return t.Name == name })
		if len(kept) == len(all) {
			return nil, fmt.Errorf("revoking token %q: %w", name, ErrNoSuchToken)
		}
		left = len(kept)
		return kept, nil
	})
	return left, err
}

// List returns all tokens, also expired ones, in the order they were made. on
// is false when there is no file.
func (s *Store) List() (tokens []Token, on bool, err error) {
	f, err := s.current()
	if err != nil {
		return nil, true, err
	}
	tokens = make([]Token, len(f.tokens))
	for i, t := range f.tokens {
		tokens[i] = t.Token
	}
	return tokens, f.there || s.Require, nil
}

// Access returns what the bearer of a secret may do, or nil when tokens are
// off. secret is "" for a request without one. The error is a *relay.Error for
// who is not let in; any other means that the tokens cannot be read, and then
// nobody is let in.
func (s *Store) Access(secret string) (*relay.Access, error) {
	f, err := s.current()
	if err != nil {
		return nil, err
	}
	if !f.there && !s.Require {
		return nil, nil
	}
	if secret == "" {
		return nil, unauthorized("this relay needs a token: send it as Authorization: Bearer TOKEN")
	}
	h := hashOf(secret)
	t := f.find(h)
	if t == nil {
		return nil, unauthorized("the token is not known here, or was revoked")
	}
	if t.Expired(time.Now()) {
		return nil, unauthorized(fmt.Sprintf("the token %q has expired", t.Name))
	}
	return &relay.Access{
		Name: t.Name, Senders: t.Senders, Channels: t.Channels, ReadOnly: t.ReadOnly,
		Ended: func() bool { return s.ended(h) },
	}, nil
}

// ended reports whether a token that was good is so no more. A file that is
// gone ends nothing, unless tokens are required: then everybody is let in.
func (s *Store) ended(h hash) bool {
	f, err := s.current()
	if err != nil {
		return true
	}
	if !f.there && !s.Require {
		return false
	}
	t := f.find(h)
	return t == nil || t.Expired(time.Now())
}

// find looks at all tokens whatever it finds, each in constant time.
func (f *snapshot) find(h hash) (found *stored) {
	for i := range f.tokens {
		if subtle.ConstantTimeCompare(f.tokens[i].Hash[:], h[:]) == 1 {
			found = &f.tokens[i]
		}
	}
	return found
}

func unauthorized(text string) error {
	return &relay.Error{Code: relay.CodeUnauthorized, Text: text}
}
