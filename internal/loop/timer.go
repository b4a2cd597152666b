package loop

import (
	"math/bits"
	"time"
)

// The wheel has wheelSlots slots of wheelTick each: 20 s around. What is due later waits in the last slot and is put back when it comes round.
const (
	wheelTick  = 10 * time.Millisecond
	wheelSlots = 2048
)

// A timer is one entry of a wheel. It lies in what it wakes, and is unlinked when that is closed.
type timer struct {
	next, prev *timer
	slot       int
	at         time.Duration // when it is due; 0 if it is not in the wheel
	owner      expirer
}

// An expirer is told that its timer is due. It may set the timer again.
type expirer interface{ expire(now time.Duration) }

// A wheel is a timing wheel: setting and clearing are O(1), and a deadline that moves later costs nothing, because owners leave the entry where it is
// and look at their deadline when it comes.
type wheel struct {
	slots [wheelSlots]*timer
	used  [wheelSlots / 64]uint64 // bit set: the slot is not empty
	tick  int64                   // the last tick that expire has dealt with, or deals with; it alone moves it
	count int
}

// set puts t so that it comes at the instant at, or moves it there. It never turns the wheel, and never uses the slot of the present tick: expire calls it while it
// empties that one.
func (w *wheel) set(t *timer, at time.Duration) {
	w.clear(t)
	tick := int64((at + wheelTick - 1) / wheelTick)
	tick = min(max(tick, w.tick+1), w.tick+wheelSlots-1)
	t.slot = int(tick % wheelSlots)
	t.at = at
	head := w.slots[t.slot]
	t.next = head
	if head != nil {
		head.prev = t
	}
	w.slots[t.slot] = t
	w.used[t.slot/64] |= 1 << (t.slot % 64)
	w.count++
}

// clear takes t out, if it is in.
func (w *wheel) clear(t *timer) {
	if t.at == 0 {
		return
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[t.slot] = t.next
		if t.next == nil {
			w.used[t.slot/64] &^= 1 << (t.slot % 64)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.at = nil, nil, 0
	w.count--
}

// expire tells the owners of all timers that are due at now.
func (w *wheel) expire(now time.Duration) {
	last := int64(now / wheelTick)
	if w.count == 0 {
		w.tick = max(w.tick, last)
		return
	}
	w.tick = max(w.tick, last-wheelSlots)
	for w.tick < last {
		w.tick++
		slot := w.tick % wheelSlots
		for t := w.slots[slot]; t != nil; t = w.slots[slot] {
			if t.at > now { // it waited in the last slot
				w.set(t, t.at)
				continue
			}
			w.clear(t)
			t.owner.expire(now)
		}
	}
}

// next returns how long nothing is due: negative if nothing is in the wheel.
func (w *wheel) next(now time.Duration) time.Duration {
	if w.count == 0 {
		return -1
	}
	from := w.tick + 1
	word, bit := int(from%wheelSlots)/64, uint(from%wheelSlots)%64
	if rest := w.used[word] >> bit; rest != 0 {
		return w.until(from+int64(bits.TrailingZeros64(rest)), now)
	}
	for i := 1; i <= len(w.used); i++ {
		if b := w.used[(word+i)%len(w.used)]; b != 0 {
			return w.until(from-int64(bit)+int64(i*64)+int64(bits.TrailingZeros64(b)), now)
		}
	}
	return -1
}

func (w *wheel) until(tick int64, now time.Duration) time.Duration {
	return max(time.Duration(tick)*wheelTick-now, time.Microsecond)
}
