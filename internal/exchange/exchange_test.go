package exchange

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/buf"
	"sluice/internal/loop"
)

// fakeDriver is a driver that has a clock and buffers and runs nothing.
type fakeDriver struct {
	loop.Driver
	now  time.Duration
	pool buf.Pool
}

func (d *fakeDriver) Now() time.Duration { return d.now }
func (d *fakeDriver) Buffers() *buf.Pool { return &d.pool }

func newExchange() (*Exchange, *fakeDriver) {
	x, d := &Exchange{}, &fakeDriver{now: time.Second}
	x.Begin(d, nil)
	return x, d
}

// A fakeSource is content that counts how often it is closed.
type fakeSource struct {
	Content
	closed int
}

func (c *fakeSource) Close() { c.closed++ }

// A fakeTunnel is a tunnel that does.
type fakeTunnel struct {
	Stream
	closed int
}

func (s *fakeTunnel) Close() error { s.closed++; return nil }

func TestBytesAreReadOnceAndKnowTheirLength(t *testing.T) {
	c := NewBytes([]byte("hello"))
	for range 2 { // looking changes nothing
		if b, last := c.AtHand(); string(b) != "hello" || !last || c.Length() != 5 {
			t.Errorf("at hand %q %v, length %d", b, last, c.Length())
		}
	}
	if b, err := c.Next(); string(b) != "hello" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	for range 2 {
		if b, err := c.Next(); len(b) != 0 || err != io.EOF {
			t.Errorf("%q %v", b, err)
		}
	}
	if b, last := c.AtHand(); len(b) != 0 || !last || c.Length() != 5 {
		t.Error("the length has changed, or something is left")
	}
	c = NewBytes([]byte("x"))
	c.Close()
	c.Close()
	if _, err := c.Next(); err != io.EOF {
		t.Error("read after Close")
	}
	if _, err := NewBytes(nil).Next(); err != io.EOF {
		t.Error("no bytes are no end")
	}
}

func TestRespondReplacesWhatWasThere(t *testing.T) {
	x, _ := newExchange()
	x.Response.Status, x.Response.Origin, x.Response.Reason = 200, true, []byte("Fine")
	x.Response.Fields.Add(FieldServer, []byte("origin"))
	x.Response.Trailers.Add(FieldETag, []byte("e"))
	x.Respond(404, "text/plain", []byte("no"))
	r := &x.Response
	if r.Status != 404 || r.Origin || len(r.Reason) > 0 || r.Fields.Len() != 1 || string(r.Fields.Get(FieldContentType)) != "text/plain" || r.Trailers.Len() != 0 {
		t.Errorf("%+v", r)
	}
	if b, err := r.Content.Next(); string(b) != "no" || err != nil || r.Content.Length() != 2 {
		t.Errorf("%q %v", b, err)
	}
	x.Respond(204, "", nil)
	if r.Fields.Len() != 0 || r.Content.Length() != 0 {
		t.Errorf("%+v", r)
	}
}

func TestDiscardClosesContentAndTunnelOnce(t *testing.T) {
	c, s := &fakeSource{}, &fakeTunnel{}
	r := Response{Content: c, Tunnel: s}
	r.Discard()
	r.Discard()
	if c.closed != 1 || s.closed != 1 || r.Content != nil || r.Tunnel != nil {
		t.Errorf("content closed %d times, tunnel %d times", c.closed, s.closed)
	}
}

func TestTheEarlierDeadlineCounts(t *testing.T) {
	for _, c := range []struct{ deadline, at, want time.Duration }{{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {5, 7, 5}, {7, 5, 5}} {
		x := Exchange{Deadline: c.deadline}
		if got := x.By(c.at); got != c.want {
			t.Errorf("%+v gives %v", c, got)
		}
	}
	x, d := newExchange()
	for deadline, want := range map[time.Duration]string{0: "mine", time.Second + 1: "mine", time.Second: LimitExchangeTimeout, 1: LimitExchangeTimeout} {
		if x.Deadline = deadline; x.Reached("mine") != want {
			t.Errorf("at %v a deadline of %v is %s", d.now, deadline, x.Reached("mine"))
		}
	}
}

func TestErrorsSayWhoFailedAndHow(t *testing.T) {
	reason := errors.New("connect 10.0.0.1:80: refused")
	e := &Error{Source: Upstream, Kind: KindConnectionRefused, Op: "connect", Err: reason}
	if got := e.Error(); got != "upstream connection_refused: connect: connect 10.0.0.1:80: refused" {
		t.Errorf("%s", got)
	}
	if !errors.Is(fmt.Errorf("more: %w", e), reason) {
		t.Error("the reason is lost")
	}
	e = &Error{Kind: KindProxyInternalError, Op: "answer"}
	if e.Error() != "internal proxy_internal_error: answer" || e.Unwrap() != nil {
		t.Errorf("%s", e)
	}
	if Downstream.String() != "downstream" || Source(99).String() != "internal" {
		t.Error("names of sources")
	}
	if e := ContentTooLarge(); e.Status != 413 || e.Limit != "limits.request_body" || e.Source != Downstream {
		t.Errorf("%+v", e)
	}
}

// Each member must have been reset: whoever adds one must think of Reset.
func TestResetLeavesNothingBehind(t *testing.T) {
	x, d := newExchange()
	fill(reflect.ValueOf(x).Elem())
	x.Begin(d, nil)
	x.owns = 0
	x.Own(d.pool.Get(100))
	x.Reset()
	x.Request.Fields, x.Request.Trailers, x.Response.Fields, x.Response.Trailers, x.Scratch = Fields{}, Fields{}, Fields{}, Fields{}, buf.Scratch{}
	if !reflect.ValueOf(*x).IsZero() {
		t.Errorf("left: %+v", *x)
	}
}

// fill sets all members of a struct that can be set to something that is not zero.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() {
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Struct:
			if f.Type() == reflect.TypeFor[netip.Addr]() {
				f.Set(reflect.ValueOf(netip.MustParseAddr("::1")))
			} else if f.Type() != reflect.TypeFor[buf.Scratch]() {
				fill(f)
			}
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		case reflect.Interface:
			if f.Type() == reflect.TypeFor[any]() {
				f.Set(reflect.ValueOf(1))
			}
		}
	}
}

func TestResetKeepsMemory(t *testing.T) {
	x, d := newExchange()
	name, value := []byte("X-A"), []byte("1")
	use := func() {
		x.Begin(d, nil)
		for range 30 {
			x.Request.Fields.AddNamed(name, value)
		}
		_ = x.Scratch.String("some text")
		x.Own(d.pool.Get(buf.Small))
		x.Respond(200, "text/plain", value)
		x.Reset()
	}
	use()
	if n := testing.AllocsPerRun(100, use); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestResetGivesEachBlockBackOnce(t *testing.T) {
	x, d := newExchange()
	block := d.pool.Get(buf.Small)
	block[0] = 'x'
	x.Own(block)
	x.Reset()
	x.Begin(d, nil)
	x.Reset() // must not give it back again
	a, b := d.pool.Get(buf.Small), d.pool.Get(buf.Small)
	if &a[0] != &block[0] || &b[0] == &block[0] {
		t.Error("the block was not given back, or twice")
	}
}

// More blocks than usual: the oldest ones are forgotten, none is given back twice or while it is in use.
func TestOwnsTheLatestBlocks(t *testing.T) {
	x, d := newExchange()
	var blocks [][]byte
	for range len(x.owned) + 3 {
		blocks = append(blocks, d.pool.Get(buf.Small))
		x.Own(blocks[len(blocks)-1])
	}
	x.Reset()
	var free []*byte
	for range blocks {
		free = append(free, &d.pool.Get(buf.Small)[0])
	}
	for i, b := range blocks {
		if back := slices.Contains(free, &b[0]); back != (i >= 3) {
			t.Errorf("block %d: given back %v", i, back)
		}
	}
	slices.SortFunc(free, func(a, b *byte) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if len(slices.Compact(free)) != len(blocks) {
		t.Error("a block came twice")
	}
}
