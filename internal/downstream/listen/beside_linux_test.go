package listen

import (
	"net"
	"testing"
	"time"
)

// A socket that was deaf and is opened again from what was inherited hears.
func TestAHushedSocketHearsAgain(t *testing.T) {
	s, err := Open("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	connects := func(patience time.Duration) bool {
		c, err := net.DialTimeout("tcp", s.Addr().String(), patience)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	Control(s.ln, Hush)
	if connects(100 * time.Millisecond) {
		t.Error("a hushed socket hears")
	}
	Control(s.ln, unhush)
	if !connects(10 * time.Second) {
		t.Error("it stays deaf")
	}
	Control(s.ln, unhush) // there is no filter
}
