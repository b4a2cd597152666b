package exchange

// A Verdict is what a filter's request phase decides.
type Verdict uint8

const (
	// Continue goes on with the next filter, and at last to the pool.
	Continue Verdict = iota
	// Answered means that the filter has filled Response; nothing is forwarded, and the response phases of the filters so far run.
	Answered
	// Drop closes the connection or stream without an answer.
	Drop
)
