package loop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// An alarm is a timer with what the test knows of it.
type alarm struct {
	timer timer
	at    time.Duration // when it is due; 0 if it is not set
	again time.Duration // it sets itself again, so much later
	rang  bool
	w     *wheel
	t     *testing.T
}

func (a *alarm) expire(now time.Duration) {
	if a.at == 0 || now < a.at {
		a.t.Errorf("rang at %v, due at %v", now, a.at)
	}
	a.rang, a.at = true, 0
	if a.again != 0 {
		a.set(now + a.again)
	}
}

func (a *alarm) set(at time.Duration) {
	a.at = at
	a.w.set(&a.timer, at)
}

// due is when an alarm must have rung at the latest: ticks are as fine as the wheel is.
func (a *alarm) due() time.Duration { return (a.at + 2*wheelTick - 1) / wheelTick * wheelTick }

func TestTheWheelRingsLikeASortedList(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &wheel{}
		alarms := make([]*alarm, 1)
		if r.IntN(4) > 0 { // one alone is a case of its own
			alarms = make([]*alarm, 1+r.IntN(40))
		}
		for i := range alarms {
			alarms[i] = &alarm{w: w, t: t}
			alarms[i].timer.owner = alarms[i]
		}
		now := time.Second
		for range 400 {
			change(r, w, alarms[r.IntN(len(alarms))], now)
			checkNext(t, w, alarms, now)
			if r.IntN(2) == 0 {
				now += someTime(r, w, now)
				w.expire(now)
				checkRung(t, w, alarms, now)
			}
		}
		if t.Failed() {
			t.Fatal("seed ", seed)
		}
	}
}

// Set for later than the wheel reaches, a timer is put back again and again. Loops do not wake at the instant that they asked for, but when the machine lets them.
func TestALoneTimerIsPutBackHoweverLateTheLoopWakes(t *testing.T) {
	for late := time.Duration(0); late < 10*wheelTick; late += time.Millisecond {
		w := &wheel{}
		a := &alarm{w: w, t: t}
		a.timer.owner = a
		now := time.Second
		w.expire(now)
		a.set(now + 75*time.Second)
		for !a.rang && now < 80*time.Second {
			now += w.next(now) + late
			w.expire(now)
		}
		if !a.rang {
			t.Errorf("%v late: has not rung at %v", late, now)
		}
	}
}

// someTime is a step of the clock: none, small, until the next alarm, until some time after it, or beyond the horizon.
func someTime(r *rand.Rand, w *wheel, now time.Duration) time.Duration {
	switch r.IntN(6) {
	case 5:
		return max(w.next(now), 0) + upTo(r, 6*wheelTick)
	case 0:
		return 0
	case 1:
		return upTo(r, 5*wheelTick)
	case 2:
		return upTo(r, 3*wheelSlots*wheelTick)
	case 3:
		return upTo(r, time.Minute)
	}
	return max(w.next(now), 0)
}

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

func change(r *rand.Rand, w *wheel, a *alarm, now time.Duration) {
	a.again = 0
	switch r.IntN(6) {
	case 0:
		w.clear(&a.timer)
		a.at = 0
	case 1:
		a.again = 1 + upTo(r, 30*time.Second)
		fallthrough
	case 2:
		a.set(now + 1 + upTo(r, time.Second))
	case 3:
		a.set(now + 1 + upTo(r, time.Minute))
	case 4:
		a.set(now + 1 + upTo(r, 10*time.Minute))
	case 5:
		a.set(now + 1)
	}
}

// checkNext looks that a loop that sleeps for as long as the wheel says misses no alarm, and sleeps for ever only if there is none.
func checkNext(t *testing.T, w *wheel, alarms []*alarm, now time.Duration) {
	t.Helper()
	next, set := w.next(now), 0
	for _, a := range alarms {
		if a.at == 0 {
			continue
		}
		if set++; next < 0 || now+next > a.due() {
			t.Errorf("at %v it sleeps for %v, an alarm is due at %v", now, next, a.at)
		}
	}
	if set != w.count || set == 0 && next >= 0 || next == 0 {
		t.Errorf("%d alarms are set, the wheel counts %d and sleeps for %v", set, w.count, next)
	}
}

func checkRung(t *testing.T, w *wheel, alarms []*alarm, now time.Duration) {
	t.Helper()
	linked := map[*timer]bool{}
	for i, head := range w.slots {
		if (head != nil) != (w.used[i/64]>>(i%64)&1 == 1) {
			t.Errorf("slot %d and its bit differ", i)
		}
		for ; head != nil; head = head.next {
			linked[head] = true
		}
	}
	for _, a := range alarms {
		if a.at != 0 && a.due() <= now && a.again == 0 {
			t.Errorf("due at %v, and not rung at %v", a.at, now)
		}
		if linked[&a.timer] != (a.at != 0) {
			t.Errorf("in the wheel: %v, set for %v", linked[&a.timer], a.at)
		}
	}
}
