package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

func newReload() *cobra.Command {
	var at asking
	c := &cobra.Command{
		Use:   "reload",
		Short: "Have a running process read its config again",
		Long: `Have a running process read its config again. The command ends when the new
config is in force, or with all that is wrong with it and exit status 2; then
the old one stays in force. The signal SIGHUP does the same and tells only the
log.`,
		Example: `  sluice reload
  sluice reload --admin /run/sluice/admin.sock`,
		Args: noArguments,
		RunE: at.act((*admin.Client).Reload, "reloaded"),
	}
	at.flags(c)
	return c
}
