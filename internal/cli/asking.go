package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

// tokenVariable is the environment variable with the token of the admin server.
const tokenVariable = "SLUICE_ADMIN_TOKEN"

// asking says which process a command asks.
type asking struct{ address, tokenFile, caFile string }

// flags adds the flags that say so.
func (a *asking) flags(c *cobra.Command) {
	c.Flags().StringVar(&a.address, "admin", "", "admin `address`: a socket's path, host:port, or https://host:port\n(default "+admin.DefaultSocket()+")")
	c.Flags().StringVar(&a.tokenFile, "token-file", "", "`file` with the token, for TCP (default: $"+tokenVariable+")")
	c.Flags().StringVar(&a.caFile, "ca-file", "", "`file` with certificates to trust for https://")
}

// client returns who asks.
func (a *asking) client() (*admin.Client, error) {
	token := os.Getenv(tokenVariable)
	if a.tokenFile != "" {
		text, err := os.ReadFile(a.tokenFile)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(text))
	}
	return admin.NewClient(admin.ClientSettings{Address: a.address, Token: token, CAFile: a.caFile})
}

// ask makes what a command does that asks a running process.
func (a *asking) ask(f func(c *cobra.Command, args []string, client *admin.Client) error) func(*cobra.Command, []string) error {
	return does(func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		return f(c, args, client)
	})
}

// act makes what a command does that has a running process do something with its config: done is what was done.
func (a *asking) act(do func(*admin.Client) (*admin.Outcome, error), done string) func(*cobra.Command, []string) error {
	return a.ask(func(c *cobra.Command, _ []string, client *admin.Client) error {
		o, err := do(client)
		if err != nil {
			return err
		}
		return printOutcome(c, o, done)
	})
}

// printOutcome writes what came of a config: done is what was done with it. The error is why it was not.
func printOutcome(c *cobra.Command, o *admin.Outcome, done string) error {
	fmt.Fprint(c.ErrOrStderr(), o.Messages)
	switch {
	case o.Error == "":
		fmt.Fprintf(c.OutOrStdout(), "%s: generation %d is in force\n", done, o.Generation)
		if o.Note != "" {
			fmt.Fprintf(c.OutOrStdout(), "note: %s\n", o.Note)
		}
		return nil
	case o.Messages != "":
		fmt.Fprintf(c.ErrOrStderr(), "the old config stays in force\n")
		return errReported
	}
	return errors.New(strings.TrimSpace(o.Error) + "; nothing has changed")
}
