package cli

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
)

func newCheck() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with config files",
		Long: `Say what is wrong with config files, all of it at once, without opening or changing anything.

- is standard input; relative paths in it begin at the working folder.

The exit status is 2 if one of them can't be used, else 0; warnings don't count.`,
		Example: `  sluice check sluice.yaml
  generate-config | sluice check -
  sluice check --json sluice.yaml | jq '.diagnostics[].text'`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: configFiles,
		RunE: does(func(c *cobra.Command, files []string) error {
			if len(files) == 0 {
				return usageError("name a config file: sluice check sluice.yaml")
			}
			// What ends soon needs no tidy heap: a large config is read in two thirds of the time.
			defer debug.SetGCPercent(debug.SetGCPercent(400))
			if asJSON {
				return checkJSON(c, files)
			}
			return check(c, files)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write the messages as JSON to standard output, for editors and CI")
	return c
}

// fromArgument is how app reads the config file of that name, "-" for standard input.
func fromArgument(c *cobra.Command, name string) func(*config.Decoder) *config.Config {
	if name != "-" {
		return fromFile(name)
	}
	src := config.Disk()
	disk := src.ReadFile
	src.ReadFile = func(path string) ([]byte, error) {
		if path != inputName {
			return disk(path)
		}
		_, text, err := readText(c, "-")
		return text, err
	}
	return func(d *config.Decoder) *config.Config { return config.Load(d, src, inputName) }
}

// check writes messages for people.
func check(c *cobra.Command, files []string) (err error) {
	for _, name := range files {
		d, cfg, snap := app.Read(fromArgument(c, name))
		w := c.ErrOrStderr()
		if e := d.Render(w, isTerminal(w)); e != nil {
			return e
		}
		if cfg == nil || d.Failed() {
			err = errReported
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: ok, %s, %s\n", d.Files[0], plural(len(cfg.Sites), "site"), plural(len(snap.Pools), "pool"))
	}
	return err
}

// checkJSON writes the messages of all files as one object.
func checkJSON(c *cobra.Command, files []string) (err error) {
	all := &config.Decoder{}
	for _, name := range files {
		d, cfg, _ := app.Read(fromArgument(c, name))
		if cfg == nil || d.Failed() {
			err = errReported
		}
		all.Files = append(all.Files, d.Files...)
		all.Dropped += d.Dropped
		for _, diag := range d.Diagnostics {
			all.Report(diag)
		}
	}
	if e := all.RenderJSON(c.OutOrStdout()); e != nil {
		return e
	}
	return err
}
