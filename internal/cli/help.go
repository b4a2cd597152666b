package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is how long a line of --help may be: that of a plain terminal.
const helpWidth = 80

// usageTemplate is cobra's, but for flags that are wrapped, and without what is not used here.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Available Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsagesWrapped 80 | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

Use "{{.CommandPath}} [command] --help" for more information about a command.{{end}}
`

// narrow makes help fit a plain terminal.
func narrow(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		text := c.Long
		if text == "" {
			text = c.Short
		}
		fmt.Fprintf(c.OutOrStdout(), "%s\n\n%s", wrapped(text, helpWidth), c.UsageString())
	})
}

// wrapped breaks the lines of a text at spaces. Lines that begin with a blank stay as they are: they are examples. Lines of one paragraph flow together.
func wrapped(text string, width int) string {
	var out strings.Builder
	column := 0
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line == "" || line[0] == ' ' {
			if column > 0 {
				out.WriteByte('\n')
			}
			out.WriteString(line + "\n")
			column = 0
			continue
		}
		for _, word := range strings.Fields(line) {
			length := utf8.RuneCountInString(word)
			switch {
			case column == 0:
			case column+1+length > width:
				out.WriteByte('\n')
				column = 0
			default:
				out.WriteByte(' ')
				column++
			}
			out.WriteString(word)
			column += length
		}
	}
	return strings.TrimRight(out.String(), "\n")
}

// configSuffixes are the endings of config files, for completion.
func configSuffixes() []string { return []string{"yaml", "yml", "json"} }

// configFiles completes the names of config files.
func configFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return configSuffixes(), cobra.ShellCompDirectiveFilterFileExt
}
