package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/app"
)

func newConfig() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "config",
		Short: "Print a config as it is in force",
		Long:  `Print a config as it is in force: included files are in it, and each site and route has what it inherits. What ${…} filled in is not shown.`,
		Example: `  sluice config
  sluice config --config /etc/sluice/sluice.yaml`,
		Args: noArguments,
		RunE: does(func(c *cobra.Command, _ []string) (err error) {
			if file == "" {
				if file, err = findConfig(defaultFiles()); err != nil {
					return err
				}
			}
			d, cfg, _ := app.Read(fromFile(file))
			if cfg == nil || d.Failed() {
				return &app.ConfigError{Decoder: d}
			}
			_, err = fmt.Fprint(c.OutOrStdout(), cfg.Merged().YAML())
			return err
		}),
	}
	c.Flags().StringVarP(&file, "config", "c", "", "config `file` (default "+strings.Join(defaultFiles(), ", then ")+")")
	return c
}
