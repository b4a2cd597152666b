package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/manual"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of config files",
		Long: `Print the JSON Schema (2020-12) of config files, for editors: they complete keys, show what each one is, and mark what is wrong.

With the YAML language server, write the schema to a file and name it in the first line of the config:
# yaml-language-server: $schema=sluice.schema.json`,
		Example: `  sluice schema > sluice.schema.json`,
		Args:    noArguments,
		RunE: does(func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(manual.BuiltIn().Schema())
			return err
		}),
	}
}
