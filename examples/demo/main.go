// Command demo shows the whole loop once, on this machine and without an
// account: a relay, a supervisor, the real Codex CLI against a scripted model,
// a small repository with a planted bug, and a packet that asks for a review.
//
// `make demo` builds the programs and runs it. The page stays up until Ctrl-C;
// with DEMO_ONCE=1 it ends when the review has arrived, with a code that is not
// zero when none did.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"autoreview/codexrun/codextest"
	"autoreview/relay"
	"autoreview/relay/client"
)

const (
	channel = "demo"
	// reviewTime is how long the review may take on a slow machine.
	reviewTime = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "demo: error: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "autoreview-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	repo, packet, err := makeRepo(ctx, filepath.Join(dir, "shop"))
	if err != nil {
		return fmt.Errorf("making the repository: %w", err)
	}
	model, err := codextest.NewModel(reviewer)
	if err != nil {
		return err
	}
	defer model.Close()
	codex, env, err := chooseCodex(ctx, dir, model)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	stopAll, err := startPrograms(ctx, dir, repo, codex, url, port, env)
	if err != nil {
		return err
	}
	defer stopAll()
	c := client.New(client.Options{BaseURL: url})
	defer c.Close()
	if err := converse(ctx, c, packet); err != nil {
		return err
	}
	fmt.Printf("\nThe page of this conversation:  %s/#/channel/%s\n", url, channel)
	if os.Getenv("DEMO_ONCE") != "" {
		return nil
	}
	fmt.Printf("Post to it:                     bin/relay post --url %s --target %s --sender claude 'please review ...'\nCtrl-C ends the demo and removes everything it made.\n", url, channel)
	<-ctx.Done()
	return nil
}

// converse posts the packet, waits for its review, and prints both.
func converse(ctx context.Context, c *client.Client, packet string) error {
	posted, err := c.Post(ctx, relay.Draft{Target: channel, Sender: "claude", Kind: relay.KindPacket, Text: packet})
	if err != nil {
		return fmt.Errorf("posting the packet: %w", err)
	}
	fmt.Fprintf(os.Stderr, "demo: claude posted packet #%d; nobody touches anything from here on\n", posted.ID)
	began := time.Now()
	for cursor := posted.ID; ; {
		page, err := c.Wait(ctx, relay.Query{Targets: []string{channel}, Senders: []string{"codex"}, Since: cursor}, reviewTime-time.Since(began))
		if err != nil {
			return fmt.Errorf("waiting for the review: %w", err)
		}
		if len(page.Messages) == 0 {
			return errors.New("no review arrived")
		}
		cursor = page.LatestID
		for _, m := range page.Messages {
			if m.ReplyTo != posted.ID || m.Kind != relay.KindReview {
				fmt.Fprintf(os.Stderr, "demo: codex says: %s\n", m.Text)
				continue
			}
			fmt.Fprintf(os.Stderr, "demo: the review arrived after %s\n\n", time.Since(began).Round(10*time.Millisecond))
			show(*posted.Message)
			show(m)
			return nil
		}
	}
}

func show(m relay.Message) {
	fmt.Printf("──── #%d  %s → %s  (%s) ────\n\n%s\n", m.ID, m.Sender, m.Target, m.Kind, m.Text)
}

// freePort asks the system for a port. Somebody else could take it before the
// relay does; then the relay says so.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// start runs one of our programs until stop is called.
func start(ctx context.Context, env []string, name string, args ...string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, filepath.Join("bin", name), args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}, nil
}
