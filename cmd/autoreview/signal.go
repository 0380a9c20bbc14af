package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/mattn/go-isatty"

	"autoreview/supervisor"
)

// A terminal that is closed and an operator who wants a reload send the same
// SIGHUP. Who sits at a terminal means the first; that is asked at the start, for
// a closed terminal is none any more.

// stopSignals are what ends the program in order. SIGHUP is left alone where
// nohup has turned it off: asking for it would turn it on again.
func stopSignals() []os.Signal {
	s := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if atTerminal() && !signal.Ignored(syscall.SIGHUP) {
		s = append(s, syscall.SIGHUP)
	}
	return s
}

// unlessStopped is err, or nil where err is no more than the stop that was asked
// for: what is told to stop while it starts has not failed.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

func atTerminal() bool {
	return isatty.IsTerminal(os.Stdin.Fd()) || isatty.IsTerminal(os.Stderr.Fd())
}

// steer lets signals and the configuration's file, which had the content known
// when it was read, steer a supervisor until stop is called: a reload, and the end of a person's patience. The first stop signal
// ends ctx by other means.
func steer(ctx context.Context, s *supervisor.Supervisor, file string, known []byte, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if file != "" {
		wg.Go(func() {
			if err := supervisor.FollowFile(ctx, file, known, s.Reload); err != nil {
				log.Warn("changes of the configuration are not noticed, send a SIGHUP instead", "err", err)
			}
		})
	}
	stops := stopSignals()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, stops...)
	hangUps := make(chan os.Signal, 1)
	if len(stops) < 3 {
		signal.Notify(hangUps, syscall.SIGHUP)
	}
	done := make(chan struct{})
	wg.Go(func() {
		for n := 0; ; {
			select {
			case <-done:
				return
			case <-hangUps:
				log.Info("reloading the configuration on SIGHUP")
				s.Reload()
			case <-signals:
				if n++; n == 1 {
					log.Info("stopping, a second signal ends running reviews at once")
					continue
				}
				// A third one is for the operating system.
				signal.Stop(signals)
				s.Hurry()
			}
		}
	})
	return func() {
		signal.Stop(signals)
		signal.Stop(hangUps)
		close(done)
		cancel()
		wg.Wait()
	}
}
