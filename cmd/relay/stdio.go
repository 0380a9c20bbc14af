package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"autoreview/relay/mcptools"
)

func newStdio() *cobra.Command {
	var f relayFlags
	cmd := &cobra.Command{
		Use: "stdio", Short: "Offer the MCP tools over stdio", Long: stdioHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			defer c.Close()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			return mcptools.ServeStdio(cmd.Context(), mcptools.Options{Log: c, Logger: log, Version: version()},
				cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	f.add(cmd, false)
	return cmd
}
