package loop

import (
	"testing"
	"time"
)

type nothing struct{}

func (nothing) expire(time.Duration) {}

// A deadline that moves earlier, as each request's does, in a wheel of a thousand others.
func BenchmarkSetTimer(b *testing.B) {
	w := &wheel{}
	others := make([]timer, 1000)
	for i := range others {
		others[i].owner = nothing{}
		w.set(&others[i], time.Duration(1+i)*13*time.Millisecond+time.Second)
	}
	t := &timer{owner: nothing{}}
	b.ReportAllocs()
	for i := range b.N {
		w.set(t, time.Duration(1+i%1000)*17*time.Millisecond+time.Second)
	}
}

// A turn: nothing is due, and the loop asks how long it may wait.
func BenchmarkExpireNothing(b *testing.B) {
	w := &wheel{}
	t := &timer{owner: nothing{}}
	w.set(t, time.Hour)
	now := time.Second
	b.ReportAllocs()
	for range b.N {
		w.expire(now)
		if w.next(now) < 0 {
			b.Fatal("nothing is set")
		}
	}
}

func BenchmarkExpire(b *testing.B) {
	w := &wheel{}
	t := &timer{owner: nothing{}}
	now := time.Second
	b.ReportAllocs()
	for range b.N {
		w.set(t, now+wheelTick)
		now += 2 * wheelTick
		w.expire(now)
	}
}
