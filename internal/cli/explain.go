package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/explain"
)

// defaultClient is who asks, if nobody is named: an address that no network of a config is likely to hold (RFC 5737).
const defaultClient = "192.0.2.1"

func newExplain() *cobra.Command {
	var file, client string
	var fields []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say what a config does with a request",
		Long: `Say what a config does with a request: the site and every match that is tried and why, the settings in force with the place that each came from, the pool, and
what a server would be sent, or what Sluice answers by itself. No server is asked and nothing is opened.

The port of the URL is the one that the request comes to; http:// without one is port 80.`,
		Example: `  sluice explain GET http://shop.example.com/static/logo.svg
  sluice explain POST http://shop.example.com/admin \
    --client 10.0.0.7 -H 'X-Role: admin' --config sluice.yaml`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: does(func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError("name a method and a URL: sluice explain GET http://shop.example.com/")
			}
			q, err := question(args[0], args[1], client, fields)
			if err != nil {
				return err
			}
			d, cfg, err := readConfig(file)
			if err != nil {
				return err
			}
			a, err := explain.Explain(d, cfg, *q)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), a)
			}
			return printAnswer(c.OutOrStdout(), a)
		}),
	}
	configFlag(c, &file)
	c.Flags().StringVar(&client, "client", defaultClient, "`address` of the client")
	c.Flags().StringArrayVarP(&fields, "header", "H", nil, "a further `field` of the request, as \"Name: value\"; once for each")
	c.Flags().BoolVar(&asJSON, "json", false, "write the answer as JSON")
	return c
}

// question reads what was asked.
func question(method, address, client string, fields []string) (*explain.Question, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError(fmt.Sprintf("%q is not a URL like http://shop.example.com/path", address))
	}
	if u.Scheme == "https" {
		return nil, usageError("TLS is not built yet: ask with http://")
	}
	q := &explain.Question{Method: method, Listen: ":" + cmp.Or(u.Port(), "80"), Host: u.Host}
	if q.Client, err = netip.ParseAddr(client); err != nil {
		return nil, usageError(fmt.Sprintf("--client %s: it is not an IP address", client))
	}
	_, rest, _ := strings.Cut(address, "://") // not from u, which would tidy it up
	_, q.Target, _ = strings.Cut(rest, "/")
	q.Target, _, _ = strings.Cut("/"+q.Target, "#")
	for _, line := range fields {
		name, value, found := strings.Cut(line, ":")
		switch {
		case !found || !config.IsToken(name):
			return nil, usageError(fmt.Sprintf("-H %q: write it as 'Name: value'", line))
		case strings.EqualFold(name, "Host"):
			q.Host = strings.TrimSpace(value)
		default:
			q.Fields = append(q.Fields, line)
		}
	}
	if strings.ContainsAny(q.Host+strings.Join(q.Fields, ""), "\r\n") {
		return nil, usageError("-H: a line break is not part of a field")
	}
	if !config.IsToken(method) || strings.ContainsAny(q.Target, " \r\n") {
		return nil, usageError("neither a method nor a URL has spaces or line breaks")
	}
	return q, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printAnswer writes an answer for people.
func printAnswer(w io.Writer, a *explain.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if a.Site == nil && a.Route != "" {
		fmt.Fprintf(t, "no site of this port has the host\n")
	}
	if a.Site != nil {
		fmt.Fprintf(t, "site\t%s\t%s\n", a.Site.Name, a.Site.At)
		for _, s := range a.Steps {
			if s.Against == "" {
				fmt.Fprintf(t, "route\t%s\t%s\tTAKES IT\n", s.Name, s.At)
			} else {
				fmt.Fprintf(t, "  not\t%s\t%s\t%s\n", s.Name, s.At, s.Against)
			}
		}
		if n := len(a.Steps); n == 0 || a.Steps[n-1].Against != "" {
			fmt.Fprintf(t, "route\tnone: the site itself takes it\n")
		}
		fmt.Fprintf(t, "\nsettings in force\n")
		for _, s := range a.Settings {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Key, s.Value, s.At)
		}
	}
	if a.Pool != "" {
		fmt.Fprintf(t, "\npool\t%s\t%s\n", a.Pool, strings.Join(a.Servers, ", "))
	}
	if a.Sent != "" {
		fmt.Fprintf(t, "\na server, such as %s, is sent\n\n%s\n", a.Server, indented(a.Sent))
	}
	if a.Answered != "" {
		fmt.Fprintf(t, "\nSluice answers by itself")
		if a.Reason != "" {
			fmt.Fprintf(t, " (%s)", a.Reason)
		}
		fmt.Fprintf(t, "\n\n%s\n", indented(a.Answered))
	}
	return t.Flush()
}

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }
