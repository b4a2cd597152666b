package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"

	"sluice/internal/admin"
)

func exampleStatus(requests int64) *admin.Status {
	return &admin.Status{
		Version: "1.2.3", UptimeSeconds: 273_600, Generation: 12, Config: "/etc/sluice/sluice.yaml", Loops: []admin.Loop{{Connections: 1000}, {Connections: 24}},
		Pools: []admin.Pool{
			{Name: "idle", Endpoints: []admin.Endpoint{{Pool: "idle", Address: "unix:/run/a-very-long-name-of-a-socket/that-has-no-room.sock", State: "up"}}},
			{Name: "shop", Endpoints: []admin.Endpoint{
				{Pool: "shop", Address: "http://10.0.0.11:8080", State: "up", Requests: requests, Active: 3, Idle: 12},
				{Pool: "shop", Address: "http://10.0.0.12:8080", State: "draining", Requests: 7, Failures: requests / 10},
			}},
		},
	}
}

func exampleFigures() *admin.Figures {
	q := admin.Quantiles{P50: 1.234, P90: 12, P99: 250}
	return &admin.Figures{
		Seconds: 2,
		Total:   admin.SiteFigures{Requests: 2500, ClientErrors: 3, ServerErrors: 25, Received: 3 << 20, Sent: 100 << 20, Duration: q, Aborted: 2},
		Sites: []admin.SiteFigures{
			{Site: "http://shop.example.com", Requests: 2400, ClientErrors: 3, ServerErrors: 25, Received: 3 << 20, Sent: 100 << 20, Duration: q},
			{Site: "http://a-rather-long-name.of-a-site.example.com:8080", Requests: 100, Duration: q},
			{Site: ""},
		},
		Pools: []admin.PoolFigures{{Pool: "shop", Requests: 2400, Response: q}},
	}
}

const wantView = `sluice 1.2.3  up 3d4h  generation 12  /etc/sluice/sluice.yaml
clients 1024  requests 1250/s  in 1.5MiB/s  out 50MiB/s
p50 1.23ms  p90 12ms  p99 250ms  4xx 0.12%  5xx 1.00%  broken off 2

SITE                       REQ/S    4XX    5XX     P50     P99     IN/S    OUT/S
http://shop.example.com     1200  0.12%  1.04%  1.23ms   250ms   1.5MiB    50MiB
http://a-rather-long-n…     50.0     0%     0%  1.23ms   250ms       0B       0B
(no site)                      0     0%     0%       -       -       0B       0B

POOL, SERVERS          STATE        REQ/S  FAIL/S  ACTIVE   IDLE     P50     P99
shop                                 1200                         1.23ms   250ms
  10.0.0.11:8080       up             500       0       3     12
  10.0.0.12:8080       draining         0    50.0       0      0
idle                                    0                              -       -
…that-has-no-room.sock up               0       0       0      0
`

func TestTheViewFitsIn80Columns(t *testing.T) {
	var v View
	v.See(exampleStatus(1000))
	v.See(exampleStatus(2000))
	v.Count(exampleFigures())
	var got strings.Builder
	for _, l := range append(append(v.Head(80), Line{}), v.Body(80)...) {
		got.WriteString(strings.TrimRight(l.Text, " ") + "\n")
		if n := utf8.RuneCountInString(l.Text); n > 80 {
			t.Errorf("%d characters: %s", n, l.Text)
		}
	}
	if got.String() != wantView {
		t.Errorf("got\n%s", got.String())
	}
	for _, width := range []int{1, 20, 40, 79, 300} {
		for _, l := range append(v.Head(width), v.Body(width)...) {
			if n := utf8.RuneCountInString(l.Text); n > width {
				t.Errorf("%d characters of %d: %s", n, width, l.Text)
			}
		}
	}
}

func TestLongNamesCanBeToldApart(t *testing.T) {
	names := []string{
		"http://shop.example.com", "http://shop.example.com:8080/a-bit-longer", "a-rather-long-site-name.example.com", "http://a-rather-long-site-name.example.com",
		"http://a-rather-long-site-name-without-a-number.example.com:80", "http://a-rather-long-site-name-without-a-number.example.com:8080", "",
	}
	for i := range 40 {
		names = append(names, fmt.Sprintf("http://a-rather-long-site-name-number-%d.some-department.example.com", i))
	}
	for width := 16; width <= 90; width++ {
		short, seen := shorten(names, width), map[string]string{}
		for _, name := range names {
			s := short[name]
			if utf8.RuneCountInString(s) > width || utf8.RuneCountInString(name) <= width && s != name {
				t.Errorf("%q becomes %q in %d characters", name, s, width)
			}
			if other, taken := seen[s]; taken {
				t.Errorf("in %d characters, %q and %q are %q", width, name, other, s)
			}
			seen[s] = name
		}
	}
	if got := shorten(names, 23)["http://a-rather-long-site-name-number-7.some-department.example.com"]; got != "http://…-name-number-7…" {
		t.Error(got)
	}
}

func TestTablesKeepTheirTitles(t *testing.T) {
	body := []Line{{"SITE", Title}, {"a", Plain}, {"b", Alarm}, {}, {"POOL", Title}, {"c", Plain}, {"d", Plain}}
	for from, want := range []string{"SITE a b  POOL c d", "SITE b  POOL c d", "SITE  POOL c d", "SITE POOL c d", "POOL c d", "POOL d", "POOL", ""} {
		var got []string
		for _, l := range scrolled(body, from) {
			got = append(got, l.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("from %d: %q, want %q", from, got, want)
		}
	}
	if body[1].Text != "a" {
		t.Error("the tables themselves have changed")
	}
}

func TestWhatActsOnATerminalIsNotShown(t *testing.T) {
	var v View
	s := exampleStatus(1)
	s.Config, s.Pools[0].Name, s.Pools[0].Endpoints[0].Address = "\x1b[2J", "\x1b]0;x\a", "\r\n"
	v.See(s)
	v.Say("\x1b[31m")
	for _, l := range append(v.Head(80), v.Body(80)...) {
		if strings.ContainsAny(l.Text, "\x1b\r\n\a") {
			t.Errorf("%q", l.Text)
		}
	}
}

// process starts an admin server that tells the examples.
func process(t *testing.T) *admin.Client {
	t.Helper()
	requests := int64(0)
	path := filepath.Join(t.TempDir(), "s")
	srv, err := admin.New(admin.Settings{Listen: path}, admin.Sources{
		Status:  func() admin.Status { requests += 1000; return *exampleStatus(requests) },
		Figures: func() func() admin.Figures { return func() admin.Figures { return *exampleFigures() } },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	c, err := admin.NewClient(admin.ClientSettings{Address: path})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A watched screen keeps what it showed last, for other goroutines to look at.
type watched struct {
	tcell.SimulationScreen
	mu   sync.Mutex
	last string // guarded by mu
}

// Show implements tcell.Screen.
func (w *watched) Show() {
	w.SimulationScreen.Show()
	cells, width, height := w.GetContents()
	var all strings.Builder
	for y := range height {
		for x := range width {
			all.WriteString(string(cells[y*width+x].Runes))
		}
		all.WriteByte('\n')
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = all.String()
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func TestItRunsUntilTheUserHasSeenEnough(t *testing.T) {
	screen := &watched{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	screen.SetSize(80, 24)
	ended := make(chan error, 1)
	client := process(t)
	go func() { ended <- show(t.Context(), client, 100*time.Millisecond, screen) }()
	shows := func(text string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !strings.Contains(screen.text(), text); <-time.After(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q is not shown:\n%s", text, screen.text())
			}
		}
	}
	shows("clients 1024  requests 1250/s")
	shows("  10.0.0.12:8080       draining         0    50.0")
	shows("\nq quits   space stops")
	screen.InjectKey(tcell.KeyRune, ' ', tcell.ModNone)
	shows("STOPPED   q quits")
	screen.SetSize(80, 10)
	screen.InjectKey(tcell.KeyPgDn, 0, tcell.ModNone)
	screen.InjectKey(tcell.KeyPgDn, 0, tcell.ModNone)
	shows("…that-has-no-room.sock")
	screen.InjectKey(tcell.KeyRune, 'q', tcell.ModNone)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAProcessThatIsAwayIsSaid(t *testing.T) {
	client, err := admin.NewClient(admin.ClientSettings{Address: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var got told
	follow(ctx, client, time.Second, func(t told) { got = t; cancel() })
	if got.err == nil || !strings.Contains(got.err.Error(), "no Sluice answers") {
		t.Error(got.err)
	}
	var v View
	v.take(got)
	if head := v.Head(80); !strings.Contains(head[0].Text, "no Sluice answers") {
		t.Error(head)
	}
}

func TestOnceWritesOneSpan(t *testing.T) {
	var got strings.Builder
	if err := Once(t.Context(), process(t), 100*time.Millisecond, 80, &got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.String(), "\nPOOL, SERVERS ") || !strings.Contains(got.String(), " 50MiB\n") {
		t.Error(got.String())
	}
	if err := Once(t.Context(), process(t), 100*time.Millisecond, 80, failing{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

// failing is a writer that nobody reads.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("pipe: %w", io.ErrClosedPipe) }
