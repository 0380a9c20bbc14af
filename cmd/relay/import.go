package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"autoreview/relay"
	"autoreview/relay/config"
	"autoreview/relay/server"
)

func newImport() *cobra.Command {
	var s settingFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "import FILE...", Short: "Take over an archive", Long: importHelp, Args: someFiles,
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := s.load(cmd)
			if err != nil {
				return err
			}
			return importFiles(cmd, c, files, asJSON)
		},
	}
	s.add(cmd, "data")
	cmd.Flags().BoolVar(&asJSON, "json", false, "")
	return cmd
}

func someFiles(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("want the files to import")}
	}
	return nil
}

// imported are the counts of an import.
type imported struct {
	Read       int `json:"read"`
	Stored     int `json:"stored"`
	Known      int `json:"known"`
	Unreadable int `json:"unreadable"`
}

func importFiles(cmd *cobra.Command, c config.Config, files []string, asJSON bool) error {
	var all []relay.Message
	var counts imported
	for _, path := range files {
		messages, bad, err := readArchive(path)
		if err != nil {
			return err
		}
		for _, b := range bad {
			say(cmd, "%s:%d: left out: %v", path, b.Line, b.Err)
		}
		all = append(all, messages...)
		counts.Unreadable += len(bad)
	}
	counts.Read = len(all)
	var err error
	if counts.Stored, err = importInto(cmd.Context(), c.Data, server.MaskMessages(c.Redact, all)); err != nil {
		return err
	}
	counts.Known = counts.Read - counts.Stored
	sayRotated(cmd, files)
	if asJSON {
		return printJSON(cmd, counts)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d messages read, %d stored, %d were there already, %d lines left out\n",
		counts.Read, counts.Stored, counts.Known, counts.Unreadable)
	return err
}

func readArchive(path string) ([]relay.Message, []server.LineError, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening an archive: %w", err)
	}
	defer f.Close()
	messages, bad, err := server.ReadArchive(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return messages, bad, nil
}

// importInto works on the store itself: no door can keep the time of a message.
func importInto(ctx context.Context, dir string, messages []relay.Message) (int, error) {
	d, err := server.OpenData(ctx, dir, slog.New(slog.DiscardHandler))
	if locked, ok := errors.AsType[*server.LockedError](err); ok {
		return 0, hintError{locked, "stop the relay, import, and start it again"}
	}
	if err != nil {
		return 0, err
	}
	stored, err := d.Import(ctx, messages)
	return stored, errors.Join(err, d.Close())
}

// sayRotated points at older parts of an archive that were not given.
func sayRotated(cmd *cobra.Command, files []string) {
	for _, path := range files {
		older, err := filepath.Glob(path + ".[0-9]*")
		if err != nil {
			continue // a path may look like a bad pattern
		}
		for _, o := range older {
			if !slices.Contains(files, o) {
				say(cmd, "hint: %s is there too, import it the same way", o)
			}
		}
	}
}
