package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"autoreview/supervisor/config"
)

const checkHelp = `Check the configuration: every problem is reported at once, with its place. When
there is none, print what is in effect, as a configuration file with every
default filled in.

Example:

  autoreview check --config autoreview.toml
`

func newCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and print what is in effect", Long: checkHelp, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), config.Print(cfg))
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration `file` (default autoreview.toml)")
	return cmd
}
