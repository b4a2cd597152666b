package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
	"sluice/internal/cli/top"
)

// plainWidth is how wide the view is where there is no terminal.
const plainWidth = 80

func newTop() *cobra.Command {
	var at asking
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use:   "top",
		Short: "Show live what a running process does",
		Long: `Show live what a running process does: requests, times, errors and bytes of each
site and pool, and the state of each server. Where there is no terminal, or with
--once, it shows one span of time and ends.

Keys: q quits, space stops and goes on, arrows and page keys scroll.`,
		Example: `  sluice top
  sluice top --every 5s
  sluice top --once | head -3`,
		Args: noArguments,
		RunE: at.ask(func(c *cobra.Command, _ []string, client *admin.Client) error {
			if every < admin.EveryMin || every > admin.EveryMax {
				return usageError(fmt.Sprintf("--every is a time from 100ms to 1m, not %v", every))
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if once || !isCharacterDevice(c.OutOrStdout()) {
				return top.Once(ctx, client, every, plainWidth, c.OutOrStdout())
			}
			if _, err := client.Status(); err != nil {
				return err
			}
			return top.Run(ctx, client, every)
		}),
	}
	c.Flags().DurationVar(&every, "every", time.Second, "how often it is renewed, from 100ms to 1m")
	c.Flags().BoolVar(&once, "once", false, "write it once, for scripts")
	at.flags(c)
	return c
}
