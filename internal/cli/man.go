package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands",
		Long:  "Write the manual pages of all commands into a folder, which is made if it is not there: sluice.1, sluice-run.1 and so on. They say what --help says.",
		Example: `  sluice man /usr/local/share/man/man1
  sluice man /tmp/man && man /tmp/man/sluice-check.1`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: does(func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("name one folder: sluice man DIR")
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writePages(c.Root(), args[0])
		}),
	}
}

// writePages writes the page of c and of the commands below it.
func writePages(c *cobra.Command, dir string) error {
	name := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	writePage(f, c)
	if err := f.Close(); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// writePage writes a page in the macros of man(7). Errors of w come at its close.
func writePage(w io.Writer, c *cobra.Command) {
	out := bufio.NewWriter(w)
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(out, ".TH %s 1 \"\" %q \"Sluice manual\"\n", roff(strings.ToUpper(name)), "sluice "+version())
	fmt.Fprintf(out, ".SH NAME\n%s \\- %s\n", roff(name), roff(lowerFirst(c.Short)))
	fmt.Fprintf(out, ".SH SYNOPSIS\n.B %s\n", roff(c.CommandPath()))
	if rest := strings.TrimSpace(strings.TrimPrefix(c.UseLine(), c.CommandPath())); rest != "" {
		fmt.Fprintf(out, "%s\n", roff(rest))
	}
	fmt.Fprintf(out, ".SH DESCRIPTION\n")
	paragraphs(out, c.Long)
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(out, ".SH OPTIONS\n")
		flags.VisitAll(func(f *pflag.Flag) { option(out, f) })
	}
	if c.HasExample() {
		fmt.Fprintf(out, ".SH EXAMPLES\n.EX\n%s\n.EE\n", roff(c.Example))
	}
	if !c.HasParent() || c.Name() != "completion" && c.Parent().Name() != "completion" {
		fmt.Fprintf(out, ".SH EXIT STATUS\n0: done. 1: something failed. 2: something that you have to change, such as a config that can't be used or an unknown option.\n")
	}
	fmt.Fprintf(out, ".SH SEE ALSO\n")
	var others []string
	if c.HasParent() {
		others = append(others, fmt.Sprintf(".BR %s (1)", roff(strings.ReplaceAll(c.Parent().CommandPath(), " ", "-"))))
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			others = append(others, fmt.Sprintf(".BR %s (1)", roff(strings.ReplaceAll(sub.CommandPath(), " ", "-"))))
		}
	}
	fmt.Fprintf(out, "%s\n", strings.Join(others, " ,\n"))
	_ = out.Flush()
}

// option writes one flag.
func option(out io.Writer, f *pflag.Flag) {
	if f.Hidden {
		return
	}
	value, usage := pflag.UnquoteUsage(f)
	names := "\\fB\\-\\-" + roff(f.Name) + "\\fR"
	if f.Shorthand != "" {
		names = "\\fB\\-" + roff(f.Shorthand) + "\\fR, " + names
	}
	if value != "" {
		names += " \\fI" + roff(value) + "\\fR"
	}
	fmt.Fprintf(out, ".TP\n%s\n%s\n", names, roff(usage))
}

// paragraphs writes text; lines that begin with a blank are examples.
func paragraphs(out io.Writer, text string) {
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(paragraph, " ") || strings.HasPrefix(paragraph, "\t") {
			fmt.Fprintf(out, ".PP\n.EX\n%s\n.EE\n", roff(paragraph))
			continue
		}
		fmt.Fprintf(out, ".PP\n%s\n", roff(paragraph))
	}
}

// roff writes text so that troff prints it as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(escaped(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// escaped writes what is not ASCII by its number, as troff wants it.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\[u%04X]`, r)
		}
	}
	return out.String()
}

func lowerFirst(s string) string {
	if strings.HasPrefix(s, "Sluice") || s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
