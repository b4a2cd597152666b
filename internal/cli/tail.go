package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin"
	"sluice/internal/cli/shown"
)

func newTail() *cobra.Command {
	var at asking
	var asJSON bool
	var site, status, path, client string
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show the access log of a running process, as it comes",
		Long: `Show the access log of a running process, as it comes: also where no log is
written, or not of all exchanges. All filters that are given must hold. What is
too fast for this end is left out, and its number is said; nothing waits for it.
Where the connection ends, because the process is upgraded or restarted or this
end took nothing for 10 seconds, it says so and connects again, until Ctrl-C.`,
		Example: `  sluice tail
  sluice tail --status 5xx,404 --path '/api/*'
  sluice tail --client 10.0.0.0/8 --json | jq .duration_ms`,
		Args: noArguments,
		RunE: at.ask(func(c *cobra.Command, _ []string, asked *admin.Client) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			query := url.Values{"kind": {admin.KindAccess}}
			for name, value := range map[string]string{"site": site, "status": status, "path": path, "client": client} {
				if value != "" {
					query.Set(name, value)
				}
			}
			w := c.OutOrStdout()
			l := &lines{w: w, color: isTerminal(w), asJSON: asJSON}
			say := func(note string) { fmt.Fprintf(c.ErrOrStderr(), "sluice: %s\n", note) }
			return follow(ctx, asked, query, say, func(kind string, data []byte) error {
				if kind == admin.KindDropped {
					fmt.Fprintf(c.ErrOrStderr(), "left out: %s\n", data)
					return nil
				}
				return l.write(data)
			})
		}),
	}
	c.Flags().StringVar(&site, "site", "", "only this `site`, as the config names it")
	c.Flags().StringVar(&status, "status", "", "only these `statuses`: 404, 5xx, or several with commas")
	c.Flags().StringVar(&path, "path", "", "only this `path`; with * at its end, what begins so")
	c.Flags().StringVar(&client, "client", "", "only this `address` or network of clients")
	c.Flags().BoolVar(&asJSON, "json", false, "write lines as JSON")
	at.flags(c)
	return c
}

// again is how long tail waits before it asks again a process that has gone.
const again = time.Second

// follow calls each with the events that query asks for, also after the process has been away, until ctx is done. What keeps events away is said, once until events
// come again. Errors are those of each, and why the first connection can't be made.
func follow(ctx context.Context, asked *admin.Client, query url.Values, say func(note string), each func(kind string, data []byte) error) error {
	var failed error // of each
	said := ""
	for connected := false; ; connected = true {
		err := asked.Events(ctx, query, func(kind string, data []byte) error {
			said = ""
			failed = each(kind, data)
			return failed
		})
		if failed != nil || ctx.Err() != nil {
			return failed
		}
		note := "the process has ended the connection; connecting again"
		switch {
		case errors.Is(err, admin.ErrCutOff):
			note = err.Error() + "; lines were missed; connecting again"
		case err != nil && !connected:
			return err
		case err != nil:
			note = err.Error()
		}
		if note != said {
			say(note)
			said = note
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// lines writes lines of the access log for people.
type lines struct {
	w             io.Writer
	color, asJSON bool
}

// A logLine is what people want to see of a line.
type logLine struct {
	Time                                                    time.Time
	Client, Method, Host, Path, Query, Pool, Endpoint, Site string
	Error                                                   string
	Status                                                  int
	BytesOut                                                int64   `json:"bytes_out"`
	Duration                                                float64 `json:"duration_ms"`
}

func (l *lines) write(data []byte) error {
	if l.asJSON {
		_, err := l.w.Write(append(data[:len(data):len(data)], '\n'))
		return err
	}
	var of logLine
	if err := json.Unmarshal(data, &of); err != nil {
		return fmt.Errorf("a line of the log: %w", err)
	}
	target := of.Host + of.Path
	if of.Query != "" {
		target += "?" + of.Query
	}
	to := of.Endpoint
	if of.Error != "" {
		to = strings.TrimSpace(to + " " + of.Error)
	}
	if to == "" {
		to = "-"
	}
	on, off := l.tint(of.Status)
	_, err := fmt.Fprintf(l.w, "%s %s%3d%s %-15s %8s %9s  %s %s  %s\n", of.Time.Local().Format(time.TimeOnly), on, of.Status, off,
		shown.Printable(of.Client), shown.Milliseconds(of.Duration), shown.Bytes(of.BytesOut), shown.Printable(of.Method), shown.Printable(target), shown.Printable(to))
	return err
}

// tint is what colours a status.
func (l *lines) tint(status int) (on, off string) {
	switch {
	case !l.color:
		return "", ""
	case status >= 500 || status == 0:
		return "\x1b[31;1m", "\x1b[0m"
	case status >= 400:
		return "\x1b[33;1m", "\x1b[0m"
	}
	return "\x1b[32m", "\x1b[0m"
}
