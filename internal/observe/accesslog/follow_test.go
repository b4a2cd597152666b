package accesslog

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"sluice/internal/observe/logfile"
)

func TestFollowersGetEveryLineInJSON(t *testing.T) {
	for name, s := range map[string]Settings{
		"off": {}, "combined": {To: logfile.Disk{Path: filepath.Join(t.TempDir(), "a.log")}, Format: Combined, Hide: []string{"page"}},
	} {
		l, _ := open(t, s, 1)
		one, err := l.Follow(10)
		if err != nil {
			t.Fatal(err)
		}
		two, _ := l.Follow(10)
		NewSilentFilter(l).Finish(newExchange())
		l.Record(newExchange())
		for _, f := range []*Follower{one, two} {
			for range 2 {
				m := decoded(t, string(<-f.Lines())+"\n")
				if want := map[bool]string{true: "page=REDACTED&sort=price", false: "page=2&sort=price"}[s.Hide != nil]; m["query"] != want || m["status"] != 200.0 {
					t.Errorf("%s: got %v", name, m)
				}
			}
			if f.Dropped() != 0 {
				t.Errorf("%d dropped", f.Dropped())
			}
		}
		one.Close()
		l.Record(newExchange())
		if len(one.Lines()) != 0 || len(two.Lines()) != 1 {
			t.Error("one that was closed still gets lines, or the other gets none")
		}
		two.Close()
		two.Close()
		if l.follow.Load() != nil {
			t.Error("nobody follows, and yet it costs")
		}
	}
}

func TestASlowFollowerLosesLinesAndIsTold(t *testing.T) {
	l, _ := open(t, Settings{}, 1)
	slow, _ := l.Follow(2)
	defer slow.Close()
	fast, _ := l.Follow(100)
	defer fast.Close()
	for range 50 {
		l.Record(newExchange())
	}
	if slow.Dropped() != 48 || len(slow.Lines()) != 2 || fast.Dropped() != 0 || len(fast.Lines()) != 50 {
		t.Errorf("slow: %d dropped, fast: %d", slow.Dropped(), fast.Dropped())
	}
}

func TestFollowersAreBounded(t *testing.T) {
	l, _ := open(t, Settings{}, 1)
	var all []*Follower
	for range followersMax {
		f, err := l.Follow(0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	if _, err := l.Follow(1); err == nil {
		t.Error("no bound")
	}
	all[0].Close()
	if _, err := l.Follow(1); err != nil {
		t.Error(err)
	}
	l.Close()
	<-all[1].Ended()
	if _, err := l.Follow(1); err == nil {
		t.Error("a closed log is followed")
	}
	all[1].Close()
}

func TestFollowersComeAndGoWhileLoopsLog(t *testing.T) {
	l, _ := open(t, Settings{}, 4)
	var wg sync.WaitGroup
	for id := range 4 {
		wg.Go(func() {
			x := newExchange()
			x.Begin(newDriver(id), nil)
			for i := range 500 {
				x.Notes.Site = fmt.Sprint(i)
				l.Record(x)
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 50 {
				f, err := l.Follow(3)
				if err != nil {
					t.Error(err)
					return
				}
				for len(f.Lines()) > 0 {
					decoded(t, string(<-f.Lines())+"\n")
				}
				f.Close()
			}
		})
	}
	wg.Wait()
}
