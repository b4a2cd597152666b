package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

func newStatus() *cobra.Command {
	var at asking
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what a running process does",
		Long:  `Say what a running process does: its config, listeners, connections, and each server of each pool.`,
		Example: `  sluice status
  sluice status --json | jq '.pools[].endpoints[] | select(.state != "up")'`,
		Args: noArguments,
		RunE: at.ask(func(c *cobra.Command, _ []string, client *admin.Client) error {
			s, err := client.Status()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), s)
			}
			return printStatus(c.OutOrStdout(), s)
		}),
	}
	at.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "write the status as JSON")
	return c
}

// printStatus writes a status for people.
func printStatus(w io.Writer, s *admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("sluice", "%s, process %d, up %s", s.Version, s.PID, time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second))
	if s.Config != "" {
		row("config", "%s, generation %d since %s", s.Config, s.Generation, s.Applied.Local().Format(time.DateTime))
	}
	if s.Source == "api" {
		row("", "applied over the admin API, in no file")
	}
	if s.Until != nil {
		row("", "on trial until %s", s.Until.Local().Format(time.DateTime))
	}
	for i, l := range s.Listeners {
		row([]string{"listeners", ""}[min(i, 1)], "%s, %s", l.Address, plural(int(l.Connections), "connection"))
	}
	connections, tasks := int64(0), int64(0)
	for _, l := range s.Loops {
		connections += l.Connections
		tasks += l.Tasks
	}
	row("clients", "%s, %s at work, %s, %s", plural(int(connections), "connection"), plural(int(tasks), "task"), plural(len(s.Loops), "loop"), plural(s.Sites, "site"))
	if s.Draining {
		row("draining", "it is about to end")
	}
	if err := t.Flush(); err != nil || len(s.Pools) == 0 {
		return err
	}
	fmt.Fprintf(w, "\n")
	fmt.Fprintf(t, "pool\tserver\tstate\tweight\tactive\tidle\trequests\tfailures\n")
	for _, p := range s.Pools {
		for _, e := range p.Endpoints {
			state := e.State
			if e.Reason != "" {
				state += ": " + e.Reason
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", p.Name, e.Address, state, e.Weight, e.Active, e.Idle, e.Requests, e.Failures)
		}
	}
	return t.Flush()
}
