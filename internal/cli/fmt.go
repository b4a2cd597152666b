package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/draft"
)

func newFmt() *cobra.Command {
	var only, diff bool
	c := &cobra.Command{
		Use:   "fmt [FILE…]",
		Short: "Bring config files into the one layout",
		Long: `Bring config files into the one layout: two spaces for each level, one
blank between tokens, at most one empty line in a row. Comments are kept, keys
keep their order. Files are replaced at once and keep their mode and owner.

Without a file, ./sluice.yaml is written; - is standard input and output.`,
		Example: `  sluice fmt sluice.yaml sites/*.yaml
  sluice fmt --check sluice.yaml         for CI: status 1 if it differs
  sluice fmt --diff sluice.yaml          what would change
  sluice fmt - < old.yaml > new.yaml`,
		ValidArgsFunction: configFiles,
		RunE: does(func(c *cobra.Command, files []string) error {
			if len(files) == 0 {
				files = []string{"sluice.yaml"}
			}
			var all error
			for _, name := range files {
				if err := formatFile(c, name, only, diff); err != nil {
					all = worse(all, err)
				}
			}
			return all
		}),
	}
	c.Flags().BoolVar(&only, "check", false, "write nothing; name the files that differ and end with status 1")
	c.Flags().BoolVar(&diff, "diff", false, "write nothing; show what would change")
	return c
}

// worse returns the error of several files that decides the exit status: a fault in a file goes before everything else.
func worse(a, b error) error {
	if a == nil || errors.Is(b, errReported) {
		return b
	}
	return a
}

// formatFile formats one file, or standard input, which goes to standard output unless it is only looked at.
func formatFile(c *cobra.Command, name string, only, diff bool) error {
	isInput, text, err := name == "-", []byte(nil), error(nil)
	if isInput {
		name = "standard input"
		text, err = io.ReadAll(c.InOrStdin())
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return err
	}
	formatted, err := formatText(c, name, text)
	switch {
	case err != nil:
		return err
	case isInput && !only && !diff:
		_, err = c.OutOrStdout().Write(formatted)
		return err
	case bytes.Equal(formatted, text):
		return nil
	case diff:
		fmt.Fprint(c.OutOrStdout(), unified(name, string(text), string(formatted)))
	case only:
		fmt.Fprintln(c.OutOrStdout(), name)
	default:
		return replaceFile(name, formatted)
	}
	if only {
		return errDiffers
	}
	return nil
}

// formatText formats the content of a file; its faults are printed.
func formatText(c *cobra.Command, name string, text []byte) ([]byte, error) {
	d := &config.Decoder{}
	formatted := config.Format(d, name, text)
	if d.Failed() {
		w := c.ErrOrStderr()
		if err := d.Render(w, isTerminal(w)); err != nil {
			return nil, err
		}
		return nil, errReported
	}
	return formatted, nil
}

// replaceFile writes a file anew in one step.
func replaceFile(name string, content []byte) error {
	d, err := draft.New(name, content)
	if err != nil {
		return err
	}
	defer d.Drop()
	return d.Put()
}
