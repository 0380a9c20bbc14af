package main

import (
	"fmt"
	"strings"

	"autoreview/relay/config"
)

const rootHelp = `relay keeps a log of messages in channels, on disk, and serves it to agents and
people: MCP, REST, event streams and a page.

  relay [serve]     run the relay; its flags are in relay serve --help
  relay post        post a message
  relay fetch       print messages
  relay tail        print messages as they come
  relay channels    list the channels
  relay stdio       offer the MCP tools to a client that speaks only stdio
  relay import      take over the messages of the original server's archive
  relay token       make, list and revoke the tokens that let clients in
  relay version     print the version

Each has its own --help. Exit codes: 0 done, 1 failed, 2 wrong command line.

Example:

  relay &
  git diff | relay post --sender claude
  relay tail --sender codex
`

const serveHead = `relay [serve] [flags]

Runs the relay until it gets SIGINT or SIGTERM, and prints where its page and
its MCP endpoint are once it is ready. Each flag has a variable of its own, such
as CLAUDE_CODEX_PORT for --port, and a key in the file, such as port. A flag
wins over its variable, a variable over the file, the file over the default.

  --config FILE
      relay.toml, or the original server's config.json; without it relay.toml
      in your configuration folder is read when there is one
`

const serveTail = `
Example:

  relay serve --port 8011 --data ~/relay-two
`

// serveHelp lists the settings; they are one table for flags, variables and
// file.
func serveHelp() string {
	var b strings.Builder
	b.WriteString(serveHead)
	for _, s := range config.Settings() {
		fmt.Fprintf(&b, "  --%s %s\n      %s\n", config.FlagName(s.Key), s.Arg, s.Help)
	}
	b.WriteString(serveTail)
	return b.String()
}

const postHelp = `relay post [flags] [TEXT]

Posts a message and prints its id. The text is the argument, or standard input
when there is none.

  -t, --target NAME    channel (TARGET, default proj-x)
  -s, --sender NAME    who posts (default user)
      --kind KIND      packet, review, status or note; an ordinary message and a
                       packet ask for a review, the others never do
      --reply-to ID    the message of the same channel that this one answers
      --key KEY        post once: the same key again stores nothing and prints
                       the first id
      --meta JSON      a JSON object for programs
      --url URL        address of the relay (BASE_URL, default
                       http://127.0.0.1:8010)
      --token-file FILE
                       file with the token to send (default: the token in
                       RELAY_TOKEN, if any)
      --json           print the relay's whole answer

Example:

  git diff | relay post --target proj-x --sender claude
`

const fetchHelp = `relay fetch [flags]

Prints the newest messages of a channel, oldest first. With --since it prints
the oldest messages after that id.

  -t, --target NAME    channel (TARGET, default proj-x)
  -s, --sender NAME    only messages of this sender; may be repeated
      --since ID       only messages after this id
      --before ID      only messages before this id
  -n, --limit N        at most so many, 1 to 500 (default 20)
      --url URL        address of the relay (BASE_URL, default
                       http://127.0.0.1:8010)
      --token-file FILE
                       file with the token to send (default: the token in
                       RELAY_TOKEN, if any)
      --json           print one JSON object: messages, and latest_id to go on
                       from

Example:

  relay fetch --target proj-x --sender codex --limit 1
`

const tailHelp = `relay tail [flags]

Prints each message of a channel as it comes, as "#id [sender] first line". It
goes on when the relay restarts, and ends with the first signal.

  -t, --target NAME      channel (TARGET, default proj-x)
  -s, --sender NAME      only messages of this sender; may be repeated
                         (WATCH_SENDER)
      --since ID         begin after this id
      --last-file FILE   begin after the id in this file, and keep the last
                         printed id there (LASTFILE)
  -n, --lines N          without either, begin with the newest N (default 10)
      --count N          end after so many messages
      --url URL          address of the relay (BASE_URL, default
                         http://127.0.0.1:8010)
      --token-file FILE  file with the token to send (default: the token in
                         RELAY_TOKEN, if any)
      --json             print each message whole, as a JSON object a line

The original Python server, which cannot wake anyone, is asked every INTERVAL
seconds (default 20).

Example:

  relay tail --target proj-x --sender codex --last-file .codex/seen.last_id
`

const channelsHelp = `relay channels [flags]

Lists the channels: how many messages each has, and its last one.

      --url URL    address of the relay (BASE_URL, default
                   http://127.0.0.1:8010)
      --token-file FILE
                   file with the token to send (default: the token in
                   RELAY_TOKEN, if any)
      --json       print a JSON array: name, count, last_id, last_ts

Example:

  relay channels
`

const stdioHelp = `relay stdio [flags]

Offers the relay's MCP tools on standard input and output, for clients that
start their servers themselves. It talks to the running relay; it is not one.

      --url URL    address of the relay (BASE_URL, default
                   http://127.0.0.1:8010)
      --token-file FILE
                   file with the token to send (default: the token in
                   RELAY_TOKEN, if any)

Example, in the configuration of an MCP client:

  {"mcpServers": {"relay": {"command": "relay", "args": ["stdio"]}}}
`

const importHelp = `relay import [flags] FILE...

Takes over the messages of archives: the original server's channel_messages.log
with its rotated files, or a relay's own. Each message keeps its time, sender and
text and gets a new id. It is safe to repeat: what is there already is left out.

No relay may be running on the data folder meanwhile. In a log that has messages
already the imported ones become notes, so that no supervisor reviews them again.

      --data DIR       data folder of the relay to import into
                       (CLAUDE_CODEX_DATA, default as in relay serve)
      --config FILE    as in relay serve
      --json           print the counts as a JSON object

Example:

  relay import log/channel_messages.log*
`

const tokenHelp = `relay token new --name NAME [flags]
relay token list [--json]
relay token revoke NAME...

Makes, lists and revokes the tokens of a relay. As soon as there is one every
client needs one; a relay that is running notices. A new token is printed once:
only its hash is kept. When all are revoked nobody is let in.

  --name NAME          names the token in lists and logs
  --senders LIST       whom its bearer may post as (default anybody)
  --channels LIST      what its bearer may read and post to (default all)
  --read-only          no posting
  --expires TIME       how long it is good for, as 12h or 30d (default: until it
                       is revoked)
  --data DIR           data folder of the relay (CLAUDE_CODEX_DATA, default as in
                       relay serve)
  --config FILE        as in relay serve
  --json               list as a JSON array

Example:

  (umask 077; relay token new --name claude --senders claude >claude.token)
`

const versionHelp = `relay version

Prints the version.

Example:

  relay version
`
