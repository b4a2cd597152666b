// Package top is a live view of a running process in a terminal: requests, times, errors and bytes of each site and pool, and the state of each server.
//
// A View makes lines of what the admin server tells (events of the kinds status and figures); Run shows them on a screen until the user has seen enough.
// Drawing, keys and sizes of terminals are tcell's. The process is not touched: it is a reader of the admin API like others.
package top

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/gdamore/tcell/v2"

	"sluice/internal/admin"
)

// again is how long Run waits before it asks again a process that has gone.
const again = time.Second

// A told is what came from the process: one of them.
type told struct {
	status  *admin.Status
	figures *admin.Figures
	err     error
}

// follow sends what the process tells to out, also after it has been away, until ctx is done.
func follow(ctx context.Context, client *admin.Client, every time.Duration, out func(told)) {
	query := url.Values{"kind": {admin.KindStatus + "," + admin.KindFigures}, "every": {every.String()}}
	for ctx.Err() == nil {
		err := client.Events(ctx, query, func(kind string, data []byte) error {
			t, err := read(kind, data)
			if err == nil && t != nil {
				out(*t)
			}
			return err
		})
		if err == nil && ctx.Err() == nil {
			err = fmt.Errorf("the process has ended the connection")
		}
		out(told{err: err})
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func read(kind string, data []byte) (*told, error) {
	switch kind {
	case admin.KindStatus:
		t := &told{status: &admin.Status{}}
		return t, json.Unmarshal(data, t.status)
	case admin.KindFigures:
		t := &told{figures: &admin.Figures{}}
		return t, json.Unmarshal(data, t.figures)
	}
	return nil, nil
}

// Once writes the view of one span of time and ends: for what is no terminal.
func Once(ctx context.Context, client *admin.Client, every time.Duration, width int, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	view, seen := &View{}, 0
	query := url.Values{"kind": {admin.KindStatus + "," + admin.KindFigures}, "every": {every.String()}}
	err := client.Events(ctx, query, func(kind string, data []byte) error {
		t, err := read(kind, data)
		if err != nil || t == nil {
			return err
		}
		view.take(*t)
		if t.figures != nil {
			seen++
		}
		if seen == 2 { // the first ones come at once, and are about no time
			cancel()
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range append(append(view.Head(width), Line{}), view.Body(width)...) {
		if _, err := fmt.Fprintln(w, l.Text); err != nil {
			return err
		}
	}
	return nil
}

func (v *View) take(t told) {
	switch {
	case t.status != nil:
		v.See(t.status)
	case t.figures != nil:
		v.Count(t.figures)
	}
	v.Say("")
	if t.err != nil {
		v.Say(t.err.Error())
	}
}

// help is the last line.
const help = "q quits   space stops and goes on   arrows and page keys scroll"

// Run shows the view on the terminal until the user ends it or ctx is done.
func Run(ctx context.Context, client *admin.Client, every time.Duration) error {
	screen, err := tcell.NewScreen()
	if err == nil {
		err = screen.Init()
	}
	if err != nil {
		return fmt.Errorf("this terminal can't be drawn on; try --once: %w", err)
	}
	return show(ctx, client, every, screen)
}

// show is Run on a screen that is ready. It ends the screen.
func show(ctx context.Context, client *admin.Client, every time.Duration, screen tcell.Screen) error {
	defer screen.Fini()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := make(chan told)
	go follow(ctx, client, every, func(t told) {
		select {
		case news <- t:
		case <-ctx.Done():
		}
	})
	keys := make(chan tcell.Event)
	go screen.ChannelEvents(keys, ctx.Done())
	p := &page{screen: screen}
	for p.draw(); ; p.draw() {
		select {
		case <-ctx.Done():
			return nil
		case t := <-news:
			if !p.stopped || t.err != nil {
				p.view.take(t)
			}
		case key, open := <-keys:
			if !open || p.key(key) {
				return nil
			}
		}
	}
}

// A page is the view with what the user does to it.
type page struct {
	screen  tcell.Screen
	view    View
	from    int // the first line of the body that is shown
	stopped bool
}

// key does what a key is for. It returns true for the one that ends.
func (p *page) key(e tcell.Event) (end bool) {
	switch e := e.(type) {
	case *tcell.EventResize:
		p.screen.Sync()
	case *tcell.EventKey:
		_, height := p.screen.Size()
		switch {
		case e.Rune() == 'q', e.Key() == tcell.KeyCtrlC, e.Key() == tcell.KeyEscape:
			return true
		case e.Rune() == ' ':
			p.stopped = !p.stopped
		case e.Key() == tcell.KeyDown:
			p.from++
		case e.Key() == tcell.KeyUp:
			p.from--
		case e.Key() == tcell.KeyPgDn:
			p.from += height / 2
		case e.Key() == tcell.KeyPgUp:
			p.from -= height / 2
		case e.Key() == tcell.KeyHome:
			p.from = 0
		}
	}
	return false
}

func (p *page) draw() {
	width, height := p.screen.Size()
	head, body := p.view.Head(width), p.view.Body(width)
	room := height - len(head) - 2 // an empty line, and the help
	p.from = max(0, min(p.from, len(body)-room))
	p.screen.Clear()
	y := 0
	put := func(l Line) {
		if y < height-1 {
			p.line(y, l)
		}
		y++
	}
	for _, l := range head {
		put(l)
	}
	put(Line{})
	for _, l := range scrolled(body, p.from) {
		put(l)
	}
	last := help
	if p.stopped {
		last = "STOPPED   " + help
	}
	p.line(height-1, Line{fit(last, width), Title})
	p.screen.Show()
}

// scrolled returns the lines of tables from that one on; the first gives its place to the title of its table, so that columns always have names.
func scrolled(body []Line, from int) []Line {
	if from >= len(body) {
		return nil
	}
	rest := slices.Clone(body[from:])
	for i := from; i >= 0; i-- {
		if body[i].Style == Title {
			rest[0] = body[i]
			break
		}
	}
	return rest
}

func (p *page) line(y int, l Line) {
	style := tcell.StyleDefault
	switch l.Style {
	case Title:
		style = style.Bold(true)
	case Alarm:
		style = style.Foreground(tcell.ColorRed).Bold(true)
	}
	x := 0
	for _, r := range l.Text {
		p.screen.SetContent(x, y, r, nil, style)
		x++
	}
}
