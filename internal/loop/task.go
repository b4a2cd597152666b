package loop

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"
)

// idleTasksMax is how many coroutines a loop keeps for reuse; a burst's others end and give their stacks back.
const idleTasksMax = 1024

// A task is a pooled coroutine. Only its own loop enters it.
type task struct {
	loop  *Loop
	enter func() (struct{}, bool) // iter.Pull's next: runs it until it suspends
	stop  func()                  // iter.Pull's stop: this wait and all later ones return ErrStopped
	yield func(struct{}) bool

	work    work          // what it runs; its task is nil
	next    *task         // in the list of idle ones
	ops     int           // socket operations since it was resumed
	lookAt  time.Duration // when the write that it waits in is tried again, room or not; 0 is never
	due     bool          // in runq
	running bool          // has something to run, and will be resumed
	stopped bool          // the loop has ended
	index   int           // in Loop.tasks
}

// A work is what a loop has to do in a round; one field is set.
type work struct {
	task  *task  // goes on
	conn  *conn  // is served by its handler, in a new task
	job   func() // is called, in a new task
	relay *relay // moves, on the loop itself
}

// start takes a task from the pool, or makes one, and gives it w to run.
func (l *Loop) start(w work) *task {
	t := l.idle
	if t != nil {
		l.idle, t.next = t.next, nil
		l.idleTasks--
	} else {
		t = &task{loop: l, index: len(l.tasks)}
		l.tasks = append(l.tasks, t)
		t.enter, t.stop = iter.Pull(t.root)
	}
	t.work, t.running = w, true
	return t
}

// root is the coroutine: it runs what it is given, goes back to the pool and waits for the next.
func (t *task) root(yield func(struct{}) bool) {
	t.yield = yield
	for {
		t.run()
		t.work, t.running = work{}, false
		if t.stopped || t.loop.idleTasks >= idleTasksMax {
			t.loop.forget(t)
			return
		}
		t.next, t.loop.idle = t.loop.idle, t
		t.loop.idleTasks++
		if !yield(struct{}{}) {
			return
		}
	}
}

// run does the job. A panic ends the job and its connection, not the loop.
func (t *task) run() {
	returned := false
	defer func() {
		if !returned {
			t.failed(recover())
		}
	}()
	if c := t.work.conn; c != nil {
		c.handler.Serve()
		c.served()
	} else {
		t.work.job()
	}
	returned = true
}

// failed logs, with the coroutine's own stack, why the job did not return: it panicked, or it called runtime.Goexit. That one cannot be held up: the
// coroutine ends, and with it the goroutine that resumed it, which is the loop's (see Run).
func (t *task) failed(reason any) {
	goexit := reason == nil // panic(nil) is an error of its own
	if goexit {
		reason = "runtime.Goexit was called"
		t.running = false
		t.loop.forget(t)
	}
	t.loop.panicked("a task", reason)
	if c := t.work.conn; c != nil {
		c.Reset()
	}
}

// panicked counts and logs a panic, with the stack that it is called on.
func (l *Loop) panicked(what string, reason any) {
	l.panics.Add(1)
	l.log.Error("panic in "+what+"; its connection is closed", "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
}

// forget takes t out of the loop's list.
func (l *Loop) forget(t *task) {
	if t.stopped {
		return // shut goes through the list
	}
	last := l.tasks[len(l.tasks)-1]
	l.tasks[t.index], last.index = last, t.index
	l.tasks[len(l.tasks)-1] = nil
	l.tasks = l.tasks[:len(l.tasks)-1]
}

// end stops t for good: a wait that is under way and all later ones answer ErrStopped.
func (t *task) end() {
	t.stopped = true
	t.loop.current = t
	t.stop()
	t.loop.current = nil
}

// resume runs t until it suspends. Only the loop calls it, never a task. A task may be resumed without its condition: every wait looks again.
func (l *Loop) resume(t *task) {
	if !t.running {
		return // it was due, and ended before its turn came
	}
	t.ops = 0
	l.current = t
	t.enter()
	l.current = nil
}

// schedule makes t due in this turn or the next.
func (l *Loop) schedule(t *task) {
	if !t.due {
		t.due = true
		l.runq = append(l.runq, work{task: t})
	}
}

// suspend gives way to the loop until somebody resumes t.
func (t *task) suspend() error {
	if !t.yield(struct{}{}) {
		return ErrStopped
	}
	return nil
}

// share gives way until the next turn if the running task has used up its share of this one. What runs on the loop itself has a bound of its own.
func (l *Loop) share() {
	t := l.current
	if t == nil {
		return
	}
	if t.ops++; t.ops >= opsMax {
		l.schedule(t)
		_ = t.suspend() // stopped: the next wait will say so
	}
}

// Go implements Driver.
func (l *Loop) Go(job func()) {
	l.runq = append(l.runq, work{job: job})
}

// Offload implements Driver.
func (l *Loop) Offload(fn func()) error {
	o := &offload{task: l.current, fn: fn}
	l.offloaded++
	l.sys.Start(o.run)
	for !o.done {
		if err := o.task.suspend(); err != nil {
			return err
		}
	}
	if o.failure != "" {
		panic(o.failure)
	}
	return nil
}

// An offload is a function that runs on a goroutine, and the letter that says that it has ended.
type offload struct {
	task    *task
	fn      func()
	failure string // why fn did not return, with its stack; "" if it did
	done    bool   // owned by the loop
}

// run calls fn. Its panic becomes one of the task, so that it costs one connection and not the process.
func (o *offload) run() {
	returned := false
	defer func() {
		if !returned {
			o.failure = fmt.Sprintf("in an offloaded function: %v\n%s", recover(), debug.Stack())
		}
		if l := o.task.loop; !l.post(o) && o.failure != "" {
			l.log.Error("panic after the loop has stopped", "panic", o.failure)
		}
	}()
	o.fn()
	returned = true
}

func (o *offload) deliver(l *Loop) {
	o.done = true
	l.offloaded--
	l.schedule(o.task)
}
