package supervisor

import (
	"errors"
	"fmt"
	"os"

	"autoreview/relay"
	"autoreview/relay/client"
)

// denied reports whether the relay does not let this supervisor in, or not do
// what it asked for. That says nothing of the draft or the query: once the token
// is right the same request is taken.
func denied(err error) bool {
	e, ok := errors.AsType[*relay.Error](err)
	return ok && (e.Code == relay.CodeUnauthorized || e.Code == relay.CodeForbidden) || client.Denied(err)
}

// explain says what went wrong with the relay, and what to do when that is for
// the user to do.
func (s *Supervisor) explain(err error) []any {
	if !denied(err) {
		return []any{"err", err}
	}
	hint := "the token in the variable " + s.cfg.TokenEnv + " does not allow it: see relay token list"
	switch {
	case s.cfg.TokenEnv == "":
		hint = fmt.Sprintf("the relay wants a token: make one with relay token new --name %s --senders %s, put it into a variable, and name that in token_env", s.replier(), s.replier())
	case os.Getenv(s.cfg.TokenEnv) == "":
		hint = "the relay wants a token, and the variable " + s.cfg.TokenEnv + " that token_env names is empty"
	}
	return []any{"hint", hint, "err", err}
}

// replier is who the supervisor posts as, for a hint.
func (s *Supervisor) replier() string { return s.plan.Load().cfg.Watches[0].ReplyAs }
