package loop

import (
	"bytes"
	"log/slog"
	"runtime"
	"time"
)

// A Watchdog looks at each loop's turn counter. When one stands still although the loop is not waiting for events, a task blocks in something that it
// should have offloaded, or burns the processor: the watchdog logs where.
type Watchdog struct {
	loops []*Loop
	log   *slog.Logger
	limit time.Duration
	quit  chan struct{}
	done  chan struct{}
}

// NewWatchdog starts a watchdog that complains about a turn that takes longer than limit. Stop ends it.
func NewWatchdog(loops []*Loop, limit time.Duration, log *slog.Logger) *Watchdog {
	w := &Watchdog{loops: loops, log: log, limit: limit, quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Stop ends the watchdog.
func (w *Watchdog) Stop() {
	close(w.quit)
	<-w.done
}

func (w *Watchdog) run() {
	defer close(w.done)
	ticker := time.NewTicker(w.limit)
	defer ticker.Stop()
	seen := make([]sight, len(w.loops))
	for {
		select {
		case <-w.quit:
			return
		case <-ticker.C:
		}
		for i, l := range w.loops {
			w.look(l, &seen[i])
		}
	}
}

// A sight is what the watchdog saw of a loop when it last looked.
type sight struct {
	turns uint64
	told  bool // a stall is logged once
}

// look compares l with what was seen of it. Turns are counted at the end of each wait, so a loop that is not waiting and has the same number was at work
// since the last look.
func (w *Watchdog) look(l *Loop, seen *sight) {
	turns := l.turns.Load()
	if turns != seen.turns || turns == 0 || l.parked.Load() || l.ended() {
		*seen = sight{turns: turns}
		l.stalled.Store(false)
		return
	}
	l.stalled.Store(true)
	if !seen.told {
		seen.told = true
		l.stalls.Add(1)
		w.log.Error("a loop stands still: a task blocks or burns the processor; offload it", "loop", l.id, "for", w.limit, "stack", blockedStacks())
	}
}

// stacksBytesMax bounds what is looked at of a process's stacks.
const stacksBytesMax = 4 << 20

// blockedStacks returns the stacks of loops and their tasks that neither wait for events nor are suspended as coroutines.
func blockedStacks() string {
	all := make([]byte, stacksBytesMax)
	all = all[:runtime.Stack(all, true)]
	var found []byte
	for stack := range bytes.SplitSeq(all, []byte("\n\n")) {
		head, _, _ := bytes.Cut(stack, []byte("\n"))
		ours := bytes.Contains(stack, []byte("loop.(*task).root")) || bytes.Contains(stack, []byte("loop.(*Loop).Run"))
		if ours && !bytes.Contains(head, []byte("[coroutine")) && !bytes.Contains(stack, []byte("loop.(*Loop).poll")) {
			found = append(append(found, stack...), '\n', '\n')
		}
	}
	return string(found)
}
