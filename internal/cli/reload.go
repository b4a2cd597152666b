package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

// adminFlag adds the flag that says which process is meant.
func adminFlag(c *cobra.Command, at *string) {
	c.Flags().StringVar(at, "admin", "", "admin `address` of the process: a socket's path, or host:port (default "+admin.DefaultSocket()+")")
}

func newReload() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "reload",
		Short: "Have a running process read its config again",
		Long: `Have a running process read its config again. The command ends when the new config is in force, or with all that is wrong with it and exit status 2; then the old
one stays in force. The signal SIGHUP does the same and tells only the log.`,
		Example: `  sluice reload
  sluice reload --admin /run/sluice/admin.sock`,
		Args: noArguments,
		RunE: does(func(c *cobra.Command, _ []string) error {
			r, err := admin.NewClient(at).Reload()
			switch {
			case err != nil:
				return err
			case r.Error == "":
				fmt.Fprintf(c.OutOrStdout(), "reloaded: generation %d is in force\n", r.Generation)
				return nil
			case r.Messages != "":
				fmt.Fprint(c.ErrOrStderr(), r.Messages)
				fmt.Fprintf(c.ErrOrStderr(), "the old config stays in force\n")
				return errReported
			}
			return errors.New(strings.TrimSpace(r.Error) + "; the old config stays in force")
		}),
	}
	adminFlag(c, &at)
	return c
}
