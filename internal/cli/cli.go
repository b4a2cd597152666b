// Package cli is the command line: commands, flags, and what a person gets to read when something is wrong.
//
// Each command is one function that returns a *cobra.Command; app does the work. Exit statuses: 0 for done, 1 for what went wrong (a port that is taken), 2 for what
// the user has to change (a config that can't be used, an unknown flag). Results go to standard output, everything else to standard error.
// It writes no log and knows nothing of exchanges.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/app"
)

// Exit statuses.
const (
	statusDone   = 0
	statusFailed = 1 // the machine's matter
	statusWrong  = 2 // the user's matter
)

// A failure is an error of a command that was called rightly. All other errors come from the command line itself.
type failure struct{ error }

// Unwrap returns what failed.
func (f failure) Unwrap() error { return f.error }

// A usageError is a wrong call that only the command itself can see.
type usageError string

// Error implements error.
func (e usageError) Error() string { return string(e) }

// errReported is a bad config whose diagnostics have been printed.
var errReported = errors.New("the config can't be used")

// errDiffers says that a comparison found something, which has been printed.
var errDiffers = errors.New("there are differences")

// Main runs a command line, without the program's name, and returns the exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return execute(root)
}

// execute runs root, whose arguments, input and outputs are set, and returns the exit status.
func execute(root *cobra.Command) int {
	nameShells(root) // not before: cobra's completion writes to what is the output now
	command, err := root.ExecuteC()
	return report(command, err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Sluice is a reverse proxy",
		Long:  "Sluice is a reverse proxy: it takes HTTP requests, checks and routes them, and forwards them to pools of origin servers.",
		Example: `  sluice demo                                 see it work
  sluice serve --to 10.0.0.11:8080            forward all requests to one server
  sluice run --config /etc/sluice/sluice.yaml
  sluice check sluice.yaml                    what is wrong with a config`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newRun(), newServe(), newDemo(), newCheck(), newApply(), newConfig(), newConfirm(), newDiff(), newDrain(), newExplain(), newFmt(), newMan(), newReload(),
		newRollback(), newSchema(), newStatus(), newTail(), newTop(), newUndrain(), newUpgrade(), newVersion())
	narrow(root)
	for _, c := range root.Commands() {
		if c.ValidArgsFunction == nil {
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	return root
}

// nameShells has the completion command, which is cobra's, refuse what is none of its shells.
func nameShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	var shells []string
	for _, sub := range c.Commands() {
		shells = append(shells, sub.Name())
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError(fmt.Sprintf("%q is not one of the shells: %s", args[0], strings.Join(shells, ", ")))
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
}

// report prints err, if there is one, and returns the exit status.
func report(command *cobra.Command, err error) int {
	var failed failure
	var bad *app.ConfigError
	w := command.ErrOrStderr()
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, errReported):
		return statusWrong
	case errors.Is(err, errDiffers):
		return statusFailed
	case errors.As(err, &bad):
		_ = bad.Decoder.Render(w, isTerminal(w))
		return statusWrong
	case errors.As(err, &failed):
		fmt.Fprintf(w, "sluice: %v\n", err)
		return statusFailed
	}
	fmt.Fprintf(w, "sluice: %s\n\n%q tells more.\n", strings.TrimSpace(err.Error()), command.CommandPath()+" --help")
	return statusWrong
}

// does makes what a command does when its flags and arguments are right.
func does(f func(c *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		err := f(c, args)
		var wrong usageError
		if err == nil || errors.As(err, &wrong) {
			return err
		}
		return failure{err}
	}
}

// noArguments refuses arguments of a command that has flags only.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Sprintf("unexpected argument %q", args[0]))
	}
	return nil
}

// isTerminal reports whether w is a terminal that may get colours (no-color.org).
func isTerminal(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isCharacterDevice(w)
}

// isCharacterDevice reports whether w is a terminal, or something else that is no file and no pipe.
func isCharacterDevice(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
