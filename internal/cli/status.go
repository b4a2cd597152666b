package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

func newStatus() *cobra.Command {
	var at string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say what a running process does",
		Long:  `Say what a running process does: its config, listeners, connections, and each server of each pool.`,
		Example: `  sluice status
  sluice status --json | jq '.pools[].endpoints[] | select(.state != "up")'`,
		Args: noArguments,
		RunE: does(func(c *cobra.Command, _ []string) error {
			s, err := admin.NewClient(at).Status()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), s)
			}
			return printStatus(c.OutOrStdout(), s)
		}),
	}
	adminFlag(c, &at)
	c.Flags().BoolVar(&asJSON, "json", false, "write the status as JSON")
	return c
}

// printStatus writes a status for people.
func printStatus(w io.Writer, s *admin.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("sluice", "%s, process %d, up %s", s.Version, s.PID, time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second))
	if s.Config != "" {
		row("config", "%s, generation %d since %s", s.Config, s.Generation, s.Applied.Format(time.DateTime))
	}
	var addresses []string
	for _, l := range s.Listeners {
		addresses = append(addresses, l.Address)
	}
	row("listeners", "%s", strings.Join(addresses, ", "))
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
	fmt.Fprintf(t, "pool\tserver\tstate\tactive\tidle\trequests\tfailures\n")
	for _, p := range s.Pools {
		for _, e := range p.Endpoints {
			state := e.State
			if e.Reason != "" {
				state += ": " + e.Reason
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\n", p.Name, e.Address, state, e.Active, e.Idle, e.Requests, e.Failures)
		}
	}
	return t.Flush()
}
