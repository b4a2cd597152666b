package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

func newUpgrade() *cobra.Command {
	var at asking
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace a running process without losing a connection",
		Long: `Replace a running process by a new one: the program is started anew, from the
file that is there now, with all listening sockets of the old process, and reads
the config. Only when it serves, the old process takes no more connections and
ends when its exchanges are over, or after limits: drain_timeout.

If the new process can't serve, the old one goes on: exit status 1. The signal
SIGUSR2 does the same and tells only the log.`,
		Example: `  sluice upgrade
  install sluice-1.2.0 /usr/local/bin/sluice && sluice upgrade`,
		Args: noArguments,
		RunE: at.ask(func(c *cobra.Command, _ []string, client *admin.Client) error {
			o, err := client.Upgrade()
			switch {
			case err != nil:
				return err
			case o.Error != "":
				return errors.New(o.Error + "; the old process goes on")
			}
			fmt.Fprintln(c.OutOrStdout(), "a new process has taken over; the old one ends when its exchanges are over")
			return nil
		}),
	}
	at.flags(c)
	return c
}
