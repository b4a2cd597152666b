package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// zone is a name server: what it answers can be changed while it is in use.
type zone struct {
	mu      sync.Mutex
	addrs   map[string][]string // guarded by mu
	err     error               // guarded by mu
	delay   time.Duration       // guarded by mu
	asked   map[string]int      // guarded by mu
	now     int                 // guarded by mu; look-ups under way
	most    int                 // guarded by mu
	reports []string            // guarded by mu
}

func (z *zone) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	z.mu.Lock()
	delay := z.delay
	z.asked[name]++
	z.now++
	z.most = max(z.most, z.now)
	z.mu.Unlock()
	var err error
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.now--
	if err = errors.Join(err, z.err); err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range z.addrs[name] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

func (z *zone) report(name string, err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.reports = append(z.reports, fmt.Sprint(name, ": ", err))
}

// set changes the zone.
func (z *zone) set(change func(z *zone)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	change(z)
}

// times returns how often name was looked up.
func (z *zone) times(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name]
}

// told returns the reports so far and forgets them.
func (z *zone) told() string {
	z.mu.Lock()
	defer z.mu.Unlock()
	s := strings.Join(z.reports, "; ")
	z.reports = nil
	return s
}

// withResolver runs test with a fake clock and a zone in which a.test is 10.0.0.2, 10.0.0.1.
func withResolver(t *testing.T, test func(t *testing.T, z *zone, r *Resolver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		z := &zone{asked: map[string]int{}, addrs: map[string][]string{"a.test": {"10.0.0.2", "10.0.0.1"}, "b.test": {"10.0.1.1"}}}
		r := NewResolver(z.lookup, DefaultResolverSettings(), z.report)
		defer r.Close()
		test(t, z, r)
	})
}

// pass lets time go by on the fake clock.
func pass(d time.Duration) { <-time.After(d) }

// wantAnswer checks what Lookup answers.
func wantAnswer(t *testing.T, r *Resolver, name, want string) {
	t.Helper()
	addrs, err := r.Lookup(name)
	got := fmt.Sprint(addrs)
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("Lookup(%s) answers %s, want %s", name, got, want)
	}
}

func TestLooksUpOnDemandAndOnce(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		z.set(func(z *zone) { z.delay = time.Second })
		if _, err := r.Lookup("a.test"); err != ErrNotLookedUp {
			t.Errorf("got %v", err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if addrs, err := r.Resolve("a.test"); err != nil || len(addrs) != 2 {
					t.Errorf("got %v, %v", addrs, err)
				}
			})
		}
		wg.Wait()
		if n := z.times("a.test"); n != 1 {
			t.Errorf("looked up %d times", n)
		}
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.2]")
	})
}

func TestAnswersAreSortedAndDistinct(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		z.set(func(z *zone) { z.addrs["a.test"] = []string{"::1", "10.0.0.9", "::ffff:10.0.0.9", "10.0.0.1", "::1"} })
		if _, err := r.Resolve("a.test"); err != nil {
			t.Error(err)
		}
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.9 ::1]")
	})
}

func TestLooksUpAgain(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		r.Apply([]string{"a.test"}, DefaultResolverSettings())
		r.Resolve("a.test")
		z.set(func(z *zone) { z.addrs["a.test"] = []string{"10.0.0.7"} })
		pass(8 * time.Second)
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.2]")
		pass(4 * time.Second)
		wantAnswer(t, r, "a.test", "[10.0.0.7]")
		pass(100 * time.Second)
		if n := z.times("a.test"); n < 10 || n > 13 {
			t.Errorf("looked up %d times in 112 s", n)
		}
		if told := z.told(); told != "" {
			t.Errorf("reported %s", told)
		}
	})
}

func TestKeepsTheLastGoodAnswerForAWhile(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		r.Apply([]string{"a.test"}, DefaultResolverSettings())
		r.Resolve("a.test")
		z.set(func(z *zone) { z.err = errors.New("server failure") })
		pass(9 * time.Minute)
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.2]")
		if told := z.told(); told != "a.test: server failure" {
			t.Errorf("reported %s", told)
		}
		pass(2 * time.Minute)
		wantAnswer(t, r, "a.test", "server failure")
		if told := z.told(); told != "a.test: server failure" {
			t.Errorf("reported %s", told)
		}
		if _, err := r.Resolve("a.test"); err == nil {
			t.Error("no error")
		}
		z.set(func(z *zone) { z.err = nil })
		pass(2 * time.Second)
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.2]")
		if told := z.told(); told != "a.test: <nil>" {
			t.Errorf("reported %s", told)
		}
	})
}

func TestTriesAgainSoonAfterAFailure(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		r.Apply([]string{"none.test"}, DefaultResolverSettings())
		if _, err := r.Resolve("none.test"); err != errNoAddress {
			t.Errorf("got %v", err)
		}
		wantAnswer(t, r, "none.test", errNoAddress.Error())
		z.set(func(z *zone) { z.addrs["none.test"] = []string{"10.0.0.1"} })
		pass(2 * time.Second)
		wantAnswer(t, r, "none.test", "[10.0.0.1]")
		if told := z.told(); told != "none.test: the name has no address; none.test: <nil>" {
			t.Errorf("reported %s", told)
		}
	})
}

func TestALookUpThatHangsEnds(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		z.set(func(z *zone) { z.delay = time.Hour })
		began := time.Now()
		if _, err := r.Resolve("a.test"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestApplyLooksUpNewNamesAndForgetsOldOnes(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		r.Apply([]string{"a.test", "b.test"}, DefaultResolverSettings())
		synctest.Wait()
		wantAnswer(t, r, "a.test", "[10.0.0.1 10.0.0.2]")
		wantAnswer(t, r, "b.test", "[10.0.1.1]")
		r.Apply([]string{"b.test"}, ResolverSettings{Every: time.Minute, Timeout: time.Second})
		synctest.Wait()
		wantAnswer(t, r, "a.test", ErrNotLookedUp.Error())
		wantAnswer(t, r, "b.test", "[10.0.1.1]")
		before := z.times("b.test")
		pass(10 * time.Minute)
		if a, b := z.times("a.test"), z.times("b.test")-before; a != 1 || b < 8 || b > 12 {
			t.Errorf("looked up a.test %d times, b.test %d times in ten minutes", a, b)
		}
	})
}

func TestLooksUpAFewNamesAtATime(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		var names []string
		z.set(func(z *zone) {
			z.delay = time.Second
			for i := range 30 {
				names = append(names, fmt.Sprintf("n%d.test", i))
				z.addrs[names[i]] = []string{"10.0.0.1"}
			}
		})
		r.Apply(names, DefaultResolverSettings())
		pass(4*time.Second + time.Millisecond)
		if slices.ContainsFunc(names, func(name string) bool { _, err := r.Lookup(name); return err != nil }) || z.most != lookupsMax {
			t.Errorf("not all names were looked up, or %d at a time", z.most)
		}
	})
}

// An exchange of an old config may ask for a name that the new one has no more: it gets an answer, and nobody looks it up ever after.
func TestAForgottenNameStaysForgotten(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		r.Apply([]string{"a.test"}, DefaultResolverSettings())
		r.Apply([]string{"b.test"}, DefaultResolverSettings())
		if _, err := r.Resolve("a.test"); err != nil {
			t.Error(err)
		}
		before := z.times("a.test")
		pass(time.Hour)
		if n := z.times("a.test"); n != before {
			t.Errorf("looked up %d times more", n-before)
		}
		r.Apply([]string{"a.test"}, DefaultResolverSettings()) // named again
		pass(time.Minute)
		if n := z.times("a.test") - before; n < 5 {
			t.Errorf("looked up %d times in a minute", n)
		}
	})
}

// Names that are slow hold up others only if they are many.
func TestASlowNameDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{asked: map[string]int{}, addrs: map[string][]string{"a.test": {"10.0.0.1"}}}
		r := NewResolver(func(ctx context.Context, name string) ([]netip.Addr, error) {
			if name != "a.test" {
				<-ctx.Done()
			}
			return z.lookup(ctx, name)
		}, DefaultResolverSettings(), z.report)
		defer r.Close()
		r.Apply([]string{"slow.test", "a.test"}, ResolverSettings{Every: time.Second, Timeout: 5 * time.Second})
		pass(time.Minute)
		if n := z.times("a.test"); n < 50 {
			t.Errorf("looked up %d times in a minute", n)
		}
	})
}

func TestCloseEndsLookUps(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		z.set(func(z *zone) { z.delay = time.Hour })
		r.Apply([]string{"a.test"}, ResolverSettings{Every: time.Second, Timeout: time.Hour})
		failed := make(chan error)
		go func() {
			_, err := r.Resolve("b.test")
			failed <- err
		}()
		synctest.Wait()
		began := time.Now()
		r.Close()
		if err := <-failed; err == nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestTasksMayAskAtOnce(t *testing.T) {
	withResolver(t, func(t *testing.T, z *zone, r *Resolver) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 50 {
					r.Apply([]string{"a.test", "b.test"}[:1+i%2], DefaultResolverSettings())
					r.Resolve("b.test")
					r.Lookup("a.test")
					pass(time.Second)
				}
			})
		}
		wg.Wait()
	})
}
