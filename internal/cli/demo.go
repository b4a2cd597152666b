package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
	"sluice/internal/demo"
)

// The ports that demo tries.
const (
	demoPort  = 8080
	demoPorts = 100
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See Sluice work, in front of small origins of its own",
		Long: fmt.Sprintf(`See Sluice work: it runs in front of small origins of its own, on port %d of localhost or the next free one, and says what to try.
Nothing has to be installed or written, and nothing is left behind. Ctrl-C ends it.`, demoPort),
		Example: "  sluice demo",
		Args:    noArguments,
		RunE:    does(func(c *cobra.Command, _ []string) error { return runDemo(c) }),
	}
}

func runDemo(c *cobra.Command) error {
	signals := app.CatchSignals()
	origins, err := demo.Start()
	if err != nil {
		return err
	}
	defer origins.Close()
	p, port, err := startDemo(origins)
	if err != nil {
		return err
	}
	fmt.Fprint(c.OutOrStdout(), demo.Guide(port))
	p.Wait(signals)
	return nil
}

// startDemo starts Sluice on the first port that is free.
func startDemo(origins *demo.Origins) (*app.Process, int, error) {
	for port := demoPort; ; port++ {
		text := origins.Config(port)
		p, err := app.Start(app.Program{Version: version(), Load: func(d *config.Decoder) *config.Config {
			return config.Load(d, config.Text("demo.yaml", text), "demo.yaml")
		}})
		if err == nil || !app.IsInUse(err) || port >= demoPort+demoPorts {
			return p, port, err
		}
	}
}
