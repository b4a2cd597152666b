package cli

import (
	"fmt"

	"github.com/spf13/cobra"
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
		RunE: does(func(c *cobra.Command, _ []string) error {
			_, cfg, err := readConfig(file)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), cfg.Merged().YAML())
			return err
		}),
	}
	configFlag(c, &file)
	return c
}
