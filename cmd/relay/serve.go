package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"autoreview/relay/config"
	"autoreview/relay/server"
)

func newServe() *cobra.Command {
	var s settingFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the relay", Long: serveHelp(), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd, s) },
	}
	all := config.Settings()
	keys := make([]string, len(all))
	for i, setting := range all {
		keys[i] = setting.Key
	}
	s.add(cmd, keys...)
	return cmd
}

func serve(cmd *cobra.Command, flags settingFlags) error {
	c, err := flags.load(cmd)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	ctx := cmd.Context()
	s, err := server.Open(ctx, server.Options{Config: c, Logger: log, Version: version()})
	switch {
	case err != nil && ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		return nil // told to stop while it started, it has not failed
	case err != nil:
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "relay is ready: page %s/  mcp %s/mcp  data %s  tokens %s\n", s.URL(), s.URL(), c.Data, onOff(s.TokensOn()))
	return s.Serve(ctx)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// settingFlags are flags of the relay's own settings.
type settingFlags struct {
	path string
	keys []string
}

func (f *settingFlags) add(cmd *cobra.Command, keys ...string) {
	f.keys = keys
	cmd.Flags().StringVar(&f.path, "config", "", "relay.toml or config.json")
	for _, key := range keys {
		cmd.Flags().String(config.FlagName(key), "", "")
	}
	for _, setting := range config.Settings() {
		if flag := cmd.Flags().Lookup(config.FlagName(setting.Key)); setting.Switch && flag != nil {
			flag.NoOptDefVal = "true"
		}
	}
}

func (f *settingFlags) load(cmd *cobra.Command) (config.Config, error) {
	given := make(map[string]string)
	for _, key := range f.keys {
		if flag := cmd.Flags().Lookup(config.FlagName(key)); flag.Changed {
			given[key] = flag.Value.String()
		}
	}
	c, err := config.Load(config.Sources{Path: f.path, Flags: given})
	if err != nil {
		return config.Config{}, err
	}
	for _, w := range c.Warnings {
		say(cmd, "warning: %s", w)
	}
	return c, nil
}
