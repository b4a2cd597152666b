package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

// drainLook is how often it is looked whether a server has no exchanges left.
const drainLook = 200 * time.Millisecond

func newDrain() *cobra.Command {
	var at asking
	var wait time.Duration
	c := &cobra.Command{
		Use:   "drain [POOL/]SERVER",
		Short: "Take a server out of its pools",
		Long: `Take a server out of its pools, so that it can be stopped: exchanges that run go
on, no new ones come. Without a pool it is taken out of all that have it. It
stays out over reloads, until "sluice undrain" or the end of the process.

The command ends when no exchange is left, or after --wait with exit status 1.`,
		Example: `  sluice drain 10.0.0.11:8080
  sluice drain shop/10.0.0.11:8080 --wait 5m
  sluice drain shop/unix:/run/app.sock --wait 0s`,
		Args: oneServer("sluice drain 10.0.0.11:8080"),
		RunE: at.ask(func(c *cobra.Command, args []string, client *admin.Client) error {
			out := true
			changed, err := rotate(client, args[0], admin.Rotation{Draining: &out})
			if err != nil {
				return err
			}
			for _, e := range changed {
				fmt.Fprintf(c.OutOrStdout(), "%s/%s is draining\n", e.Pool, e.Address)
			}
			return awaitDrained(c, client, changed, wait)
		}),
	}
	c.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for exchanges that run; 0s does not wait")
	at.flags(c)
	return c
}

func newUndrain() *cobra.Command {
	var at asking
	c := &cobra.Command{
		Use:     "undrain [POOL/]SERVER",
		Short:   "Bring a drained server back",
		Long:    `Bring a server back that "sluice drain" has taken out.`,
		Example: `  sluice undrain 10.0.0.11:8080`,
		Args:    oneServer("sluice undrain 10.0.0.11:8080"),
		RunE: at.ask(func(c *cobra.Command, args []string, client *admin.Client) error {
			out := false
			changed, err := rotate(client, args[0], admin.Rotation{Draining: &out})
			for _, e := range changed {
				fmt.Fprintf(c.OutOrStdout(), "%s/%s is %s\n", e.Pool, e.Address, e.State)
			}
			return err
		}),
	}
	at.flags(c)
	return c
}

func oneServer(usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError("name one server: " + usage)
		}
		return nil
	}
}

// rotate changes the share of the servers of that name: "pool/server", or "server" in all pools.
func rotate(client *admin.Client, name string, r admin.Rotation) (changed []admin.Endpoint, err error) {
	s, err := client.Status()
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, p := range s.Pools {
		for _, e := range p.Endpoints {
			if !isNamed(p.Name, e.Address, name) || asked[p.Name+"/"+e.Address] {
				continue
			}
			asked[p.Name+"/"+e.Address] = true // pools that are written in place can have the same name
			all, err := client.Rotate(p.Name, e.Address, r)
			if err != nil {
				return changed, err
			}
			changed = append(changed, all...)
		}
	}
	if len(changed) == 0 {
		return nil, fmt.Errorf("no pool has a server %q; there are: %s", name, strings.Join(servers(s), ", "))
	}
	return changed, nil
}

// isNamed reports whether a server goes by that name; "http://" may be left out.
func isNamed(pool, address, name string) bool {
	short := strings.TrimPrefix(address, "http://")
	return slices.Contains([]string{address, short, pool + "/" + address, pool + "/" + short}, name)
}

// serversShown is how many servers a message lists.
const serversShown = 20

func servers(s *admin.Status) (names []string) {
	for _, p := range s.Pools {
		for _, e := range p.Endpoints {
			names = append(names, p.Name+"/"+e.Address)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > serversShown {
		names = append(names[:serversShown], "…")
	}
	return names
}

// awaitDrained waits until no exchange is left at the servers that were drained.
func awaitDrained(c *cobra.Command, client *admin.Client, drained []admin.Endpoint, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for end, told := time.Now().Add(wait), int64(-1); ; <-look.C {
		s, err := client.Status()
		if err != nil {
			return err
		}
		left := running(s, drained)
		if left == 0 {
			fmt.Fprintln(c.OutOrStdout(), "no exchange is left there")
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s still there after %v; the server stays drained", exchangesAre(left), wait)
		}
		if left != told {
			fmt.Fprintf(c.ErrOrStderr(), "%s still there\n", exchangesAre(left))
			told = left
		}
	}
}

func exchangesAre(n int64) string {
	if n == 1 {
		return "1 exchange is"
	}
	return fmt.Sprintf("%d exchanges are", n)
}

// running is how many exchanges run at the servers.
func running(s *admin.Status, at []admin.Endpoint) (n int64) {
	for _, p := range s.Pools {
		for _, e := range p.Endpoints {
			if slices.ContainsFunc(at, func(of admin.Endpoint) bool { return of.Pool == e.Pool && of.Address == e.Address }) {
				n += e.Active
			}
		}
	}
	return n
}
