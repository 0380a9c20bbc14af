package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"autoreview/codexrun"
)

const threadsHelp = `List the threads that Codex has on this machine, newest first. A watch with
session = "<id>" goes on in one of them, one with session = "fork:<id>" in a
copy of it.

Example:

  autoreview threads --here
`

// promptRunes is how much of a first prompt fits into a line.
const promptRunes = 60

func newThreads() *cobra.Command {
	var asJSON, here bool
	var limit int
	cmd := &cobra.Command{
		Use: "threads", Short: "List the Codex threads that a watch can continue", Long: threadsHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			threads, err := codexrun.Threads("")
			if err != nil {
				return err
			}
			if here {
				if threads, err = threadsHere(threads); err != nil {
					return err
				}
			}
			if limit > 0 {
				threads = threads[:min(limit, len(threads))]
			}
			if asJSON {
				if threads == nil {
					threads = []codexrun.ThreadInfo{} // an empty list, not null
				}
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(threads)
			}
			return printThreads(cmd, threads)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON list")
	cmd.Flags().BoolVar(&here, "here", false, "only threads of this directory")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most `N` threads; 0 is all")
	return cmd
}

func threadsHere(threads []codexrun.ThreadInfo) ([]codexrun.ThreadInfo, error) {
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	out := []codexrun.ThreadInfo{}
	for _, t := range threads {
		if t.Dir == dir {
			out = append(out, t)
		}
	}
	return out, nil
}

func printThreads(cmd *cobra.Command, threads []codexrun.ThreadInfo) error {
	if len(threads) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "autoreview: Codex has no threads to show")
		return nil
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "THREAD\tSTARTED\tDIRECTORY\tFIRST PROMPT")
	for _, t := range threads {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.ID, t.Started.Local().Format(time.DateTime), t.Dir, shorten(t.Prompt))
	}
	return w.Flush()
}

// shorten makes a prompt fit into a line. What is no letter could tell the
// terminal to do things.
func shorten(s string) string {
	r := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
	if len(r) <= promptRunes {
		return string(r)
	}
	return string(r[:promptRunes-1]) + "…"
}
