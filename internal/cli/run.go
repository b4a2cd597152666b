package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
)

// defaultFiles are where the config is looked for.
func defaultFiles() []string { return []string{"./sluice.yaml", "/etc/sluice/sluice.yaml"} }

func newRun() *cobra.Command {
	var file, profile string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run with a config file",
		Long: `Run with a config file, until a signal ends it.

SIGTERM or SIGINT (Ctrl-C): no new connections; exchanges that run may finish for as long as limits: drain_timeout says. A second one ends them at once.

SIGHUP: the config is read again and log files are opened again. A config that can't be used changes nothing.
SIGUSR2: the program is started anew, from the file that is there now, and takes over without losing a connection.`,
		Example: `  sluice run
  sluice run --config /etc/sluice/sluice.yaml`,
		Args: noArguments,
		RunE: does(func(*cobra.Command, []string) error {
			file, err := orDefault(file)
			if err != nil {
				return err
			}
			stop, err := startProfile(profile)
			if err != nil {
				return err
			}
			defer stop()
			return run(app.Program{File: file, Load: fromFile(file)})
		}),
	}
	configFlag(c, &file)
	c.Flags().StringVar(&profile, "cpu-profile", "", "write a CPU profile of the whole run to this `file`, for go tool pprof")
	_ = c.Flags().MarkHidden("cpu-profile")
	return c
}

// configFlag adds the flag that names the config.
func configFlag(c *cobra.Command, file *string) {
	c.Flags().StringVarP(file, "config", "c", "", "config `file` (default "+strings.Join(defaultFiles(), ", then ")+")")
	_ = c.MarkFlagFilename("config", configSuffixes()...)
}

// orDefault returns the file that a flag names, or the first default one that is there.
func orDefault(file string) (string, error) {
	if file != "" {
		return file, nil
	}
	return findConfig(defaultFiles())
}

// readConfig reads the config that a flag names, for a command that shows something of it.
func readConfig(file string) (*config.Decoder, *config.Config, error) {
	file, err := orDefault(file)
	if err != nil {
		return nil, nil, err
	}
	d, cfg, _ := app.Read(fromFile(file))
	if cfg == nil || d.Failed() {
		return nil, nil, &app.ConfigError{Decoder: d}
	}
	return d, cfg, nil
}

// run runs a program until a signal ends it.
func run(program app.Program) error {
	signals := app.CatchSignals()
	program.Version = version()
	var err error
	if program.Inherited, err = app.Inherit(); err != nil {
		return err
	}
	p, err := app.Start(program)
	if err != nil {
		return err
	}
	p.Wait(signals)
	return nil
}

// fromFile is how app reads the config file of that name.
func fromFile(name string) func(*config.Decoder) *config.Config {
	return func(d *config.Decoder) *config.Config { return config.Load(d, config.Disk(), name) }
}

// findConfig returns the first of the files that is there.
func findConfig(files []string) (string, error) {
	for _, name := range files {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return name, nil // also if it can't be read: the reason comes when it is
		}
	}
	return "", usageError("there is no config: neither " + strings.Join(files, " nor ") + " is there; name one with --config, or try \"sluice demo\", which needs none")
}

// startProfile writes a CPU profile to the file of that name until stop is called; "" is none.
func startProfile(name string) (stop func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }, nil
}
