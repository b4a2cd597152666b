package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/app"
	"sluice/internal/config"
)

// defaultSite is what "sluice serve" serves if it is told nothing: any host on a port that needs no privilege.
const defaultSite = "http://:8080"

func newServe() *cobra.Command {
	var to []string
	var from, at string
	c := &cobra.Command{
		Use:                   "serve --to ADDRESS… [--from NAME] [--listen ADDRESS]",
		DisableFlagsInUseLine: true,
		Short:                 "Forward to servers that are named here, without a config file",
		Long: `Forward to servers that are named here, without a config file, until a signal ends it.

The name after --from is that of a site, as in a config: "http://shop.example.com" is plain HTTP on port 80 for that host. Without it, any host on port 8080.`,
		Example: `  sluice serve --to 10.0.0.11:8080
  sluice serve --to 10.0.0.11:8080 --to 10.0.0.12:8080 --listen :80
  sluice serve --from http://shop.example.com --to unix:/run/shop.sock`,
		Args: noArguments,
		RunE: does(func(*cobra.Command, []string) error {
			if len(to) == 0 {
				return usageError("name a server to forward to: --to 10.0.0.11:8080")
			}
			text, err := serveConfig(from, at, to)
			if err != nil {
				return err
			}
			err = run(app.Program{Load: func(d *config.Decoder) *config.Config { return config.Load(d, config.Text("", text), "") }})
			return withoutPlaces(err)
		}),
	}
	c.Flags().StringArrayVar(&to, "to", nil, "`address` of a server: 10.0.0.11:8080, unix:/run/app.sock; once for each server")
	c.Flags().StringVar(&from, "from", "", "`name` of the site: http://shop.example.com (default "+defaultSite+")")
	c.Flags().StringVar(&at, "listen", "", "`address` to listen on: :80, 127.0.0.1:8080")
	return c
}

// serveConfig is the config that the flags of serve stand for.
func serveConfig(from, at string, to []string) (string, error) {
	for _, address := range to {
		if _, err := config.ParseAddress(address); err != nil {
			return "", usageError(fmt.Sprintf("--to %s: %v", address, err))
		}
	}
	site, err := config.ParseSiteName(cmp.Or(from, defaultSite))
	if err != nil {
		return "", usageError(fmt.Sprintf("--from %s: %v", from, err))
	}
	tree := map[string]any{}
	if at != "" {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			return "", usageError(fmt.Sprintf("--listen %s: write a port (:80) or an IP address with a port (127.0.0.1:80)", at))
		}
		named, err := config.ParseSiteName("http://:" + port)
		if err != nil {
			return "", usageError(fmt.Sprintf("--listen %s: %v", at, err))
		}
		site.Port = named.Port
		if host != "" {
			tree["listeners"] = map[string]any{port: map[string]any{"addresses": []string{host}}}
		}
	}
	tree["sites"] = map[string]any{site.String(): map[string]any{"to": to}}
	text, err := json.Marshal(tree)
	return string(text), err
}

// withoutPlaces takes the places from a bad config's diagnostics: they are those of a text that nobody has written.
func withoutPlaces(err error) error {
	var bad *app.ConfigError
	if errors.As(err, &bad) {
		for i := range bad.Decoder.Diagnostics {
			bad.Decoder.Diagnostics[i].Pos = config.Pos{}
		}
	}
	return err
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, strings.TrimSuffix(noun, "s")+"s")
}
