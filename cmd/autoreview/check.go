package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"autoreview/supervisor/config"
	"autoreview/templates"
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
			if err := checkTemplates(cfg); err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), config.Print(cfg))
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration `file` (default autoreview.toml)")
	return cmd
}

// checkTemplates tries each prompt template with made-up packets: a field that
// does not exist is found only then.
func checkTemplates(cfg config.Config) error {
	var errs []error
	for _, w := range cfg.Watches {
		name := templates.NameReview
		if w.Deliver == config.DeliverMCP {
			name = templates.NameReviewMCP
		}
		if w.Template != "" {
			if err := templates.Check(name, w.Template); err != nil {
				errs = append(errs, fmt.Errorf("watch %q: %w", w.Name, err))
			}
		}
	}
	for _, s := range cfg.Schedules {
		if s.Template != "" {
			if err := templates.Check(templates.NameSchedule, s.Template); err != nil {
				errs = append(errs, fmt.Errorf("schedule %q: %w", s.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}
