package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

func newDiff() *cobra.Command {
	var at asking
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff [FILE]",
		Short: "Say what a config would change in a running process",
		Long: `Say what a config would change in a running process, and what it would touch:
settings, listeners, servers, connections. Nothing changes. Without FILE it is
about the process's own config file: what a reload would do.

Exit status 1 says that there are differences, 0 that there are none.`,
		Example: `  sluice diff
  sluice diff new.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: at.ask(func(c *cobra.Command, args []string, client *admin.Client) error {
			name, text := "", []byte(nil)
			if len(args) > 0 {
				var err error
				if name, text, err = readText(c, args[0]); err != nil {
					return err
				}
				if len(text) == 0 {
					return fmt.Errorf("%s is empty", args[0])
				}
			}
			d, err := client.Diff(name, text)
			switch {
			case err != nil:
				return err
			case asJSON:
				err = writeJSON(c.OutOrStdout(), d)
			case d.Outcome.Error != "":
				return printOutcome(c, &d.Outcome, "")
			default:
				fmt.Fprint(c.ErrOrStderr(), d.Outcome.Messages)
				printDifference(c.OutOrStdout(), d)
			}
			if err == nil && len(d.Changes) > 0 {
				err = errDiffers
			}
			return err
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write the differences as JSON")
	at.flags(c)
	return c
}

// printDifference writes what a config would change, for people.
func printDifference(w io.Writer, d *admin.Difference) {
	if len(d.Changes) == 0 {
		fmt.Fprintln(w, "no differences")
		return
	}
	for _, c := range d.Changes {
		fmt.Fprintln(w, c.Text)
	}
	fmt.Fprintln(w)
	for _, address := range d.Opens {
		fmt.Fprintf(w, "listens on %s\n", address)
	}
	for _, l := range d.Closes {
		fmt.Fprintf(w, "no longer listens on %s; %s there go on until they end\n", l.Address, plural(int(l.Connections), "connection"))
	}
	for _, e := range d.Retires {
		fmt.Fprintf(w, "%s leaves pool %s; %s there go on until they end, %s closed\n", e.Address, e.Pool, plural(int(e.Active), "exchange"),
			plural(int(e.Idle), "idle connection")+beOf(e.Idle))
	}
	fmt.Fprintf(w, "%s of clients: none is closed\n", plural(int(d.Connections), "connection"))
}

func beOf(n int64) string {
	if n == 1 {
		return " is"
	}
	return " are"
}
