package logfile

// An outlet is an Output with a goroutine that waits for it, so that nobody else has to: one that takes no bytes is left behind. Its methods are for the File's
// goroutine.
type outlet struct {
	out     Output
	jobs    chan job
	results chan result
	left    bool // it does no job any more
}

// A job is to write lines or, if do is not nil, to do that.
type job struct {
	lines []byte
	do    func() error
}

// A result is how many bytes of a job's lines were written, and why not all.
type result struct {
	n   int
	err error
}

// An interruptible is an Output whose Write can be ended while it waits. It is of no use any more then.
type interruptible interface{ interrupt() }

func newOutlet(out Output) *outlet {
	// Room for a job that hangs and for the last one: neither the File nor the goroutine waits for the other once the outlet is left.
	o := &outlet{out: out, jobs: make(chan job, 2), results: make(chan result, 2)}
	go func() {
		for j := range o.jobs {
			var r result
			if j.do != nil {
				r.err = j.do()
			} else {
				r.n, r.err = out.Write(j.lines)
			}
			o.results <- r
		}
	}()
	return o
}

// do has a job done. If somebody hurries meanwhile, the outlet is left: its goroutine closes it when it comes back from the job, whose lines it keeps.
func (o *outlet) do(j job, hurry <-chan *request) (int, error) {
	if o.left {
		return 0, errStalled
	}
	o.jobs <- j
	r, done := o.await(hurry)
	if !done {
		o.end()
	}
	return r.n, r.err
}

// close closes it, and leaves it in any case.
func (o *outlet) close(hurry <-chan *request) error {
	if o.left {
		return errStalled
	}
	o.end()
	r, _ := o.await(hurry)
	return r.err
}

// end has the goroutine close the output and end, after what it does now.
func (o *outlet) end() {
	o.left = true
	o.jobs <- job{do: o.out.Close}
	close(o.jobs)
}

// await waits for the job that was given last, but not if somebody hurries whose request is not done yet.
func (o *outlet) await(hurry <-chan *request) (r result, done bool) {
	for {
		select {
		case r := <-o.results:
			return r, true
		case who := <-hurry:
			if who.done {
				continue
			}
			if out, ok := o.out.(interruptible); ok {
				out.interrupt()
			}
			return result{err: errStalled}, false
		}
	}
}
