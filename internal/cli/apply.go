package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
)

// configMax is the largest config that is read from standard input, in bytes.
const configMax = 16 << 20

// inputName is what a config from standard input is called.
const inputName = "stdin"

// readText reads the config file of that name, "-" for standard input, and returns what to call it.
func readText(c *cobra.Command, file string) (name string, text []byte, err error) {
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(c.InOrStdin(), configMax+1))
		return inputName, text, err
	}
	text, err = os.ReadFile(file)
	return filepath.Base(file), text, err
}

// oneFile refuses other arguments than one file.
func oneFile(usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError("name one config file: " + usage)
		}
		return nil
	}
}

func newApply() *cobra.Command {
	var at asking
	var lasts time.Duration
	var unsaved bool
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Put a config in force in a running process",
		Long: `Put a config in force in a running process, and write it to the process's
config file, whose old text is kept beside it with ".previous" behind the name.
Relative paths in FILE begin at the folder of that config file.

With --for it is a trial: the config before comes back by itself after that
time, unless "sluice confirm" ends the trial; the file is written then. That is
for changes that could lock you out.

A config that can't be used changes nothing: exit status 2.`,
		Example: `  sluice apply new.yaml
  sluice apply new.yaml --for 60s && curl -fsS localhost && sluice confirm
  sluice apply --unsaved - < experiment.yaml`,
		Args: oneFile("sluice apply new.yaml"),
		RunE: at.ask(func(c *cobra.Command, args []string, client *admin.Client) error {
			if lasts != 0 && (lasts < admin.TrialMin || lasts > admin.TrialMax) {
				return usageError(fmt.Sprintf("--for is a time from %v to %v, or 0 for no trial, not %v", admin.TrialMin, admin.TrialMax, lasts))
			}
			name, text, err := readText(c, args[0])
			if err != nil {
				return err
			}
			o, err := client.Apply(admin.Application{Name: name, Text: text, For: lasts, Save: !unsaved})
			if err != nil {
				return err
			}
			if o.Until != nil && o.Error == "" {
				fmt.Fprintf(c.ErrOrStderr(), "on trial until %s; \"sluice confirm\" keeps it, \"sluice rollback\" ends it at once\n", o.Until.Local().Format(time.DateTime))
			}
			if o.Unsaved {
				fmt.Fprintln(c.ErrOrStderr(), "--unsaved applies it all the same")
			}
			return printOutcome(c, o, "applied")
		}),
	}
	c.Flags().DurationVar(&lasts, "for", 0, "how long the trial is, such as 60s; 0 is no trial")
	c.Flags().BoolVar(&unsaved, "unsaved", false, "do not write the config file: a reload or a restart brings the\nold config back")
	at.flags(c)
	return c
}

func newConfirm() *cobra.Command {
	var at asking
	c := &cobra.Command{
		Use:     "confirm",
		Short:   "End a trial: its config stays",
		Long:    `End the trial that "sluice apply --for" began: its config stays, and is written to the config file unless it was applied with --unsaved.`,
		Example: `  sluice confirm`,
		Args:    noArguments,
		RunE:    at.act((*admin.Client).Confirm, "confirmed"),
	}
	at.flags(c)
	return c
}

func newRollback() *cobra.Command {
	var at asking
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Bring the config before the last change back",
		Long: `Bring the config before the last change back: before a trial, an apply, or a
reload. The config file gets its old text again, if it still holds what was
left. There is one step back, not more.`,
		Example: `  sluice rollback`,
		Args:    noArguments,
		RunE:    at.act((*admin.Client).Rollback, "rolled back"),
	}
	at.flags(c)
	return c
}
