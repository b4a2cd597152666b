package collector

import (
	"os"
	"strconv"
	"time"

	"sluice/internal/observe/logfile"
)

// Syslog is a syslog server that takes messages by RFC 5424. It is a Place.
//
// Over UDP and Unix datagrams each message is a datagram (RFC 5426), over TCP they are counted in octets (RFC 6587, section 3.4.1). The time of a message is
// that of its sending, about a second after the line was made.
type Syslog struct {
	Network  string // "udp", "tcp", "unixgram"
	Address  string // host and port, or a path
	Facility int    // 0 to 23
	Tag      string // the name of the application; see IsTag
}

// severity is that of all messages: informational (RFC 5424, section 6.2.1).
const severity = 6

// Open implements logfile.Place. It connects to nothing yet and does not fail.
func (s Syslog) Open(func(error)) (logfile.Output, error) {
	h := header{before: "<" + strconv.Itoa(s.Facility*8+severity) + ">1 ", after: " " + hostname() + " " + s.Tag + " " + strconv.Itoa(os.Getpid()) + " access - "}
	if s.Network == "tcp" {
		return open(s.Network, s.Address, h.counted)
	}
	return open(s.Network, s.Address, h.message)
}

// A header is what all messages begin with, around the time.
type header struct{ before, after string }

// timeLayout is RFC 3339 with as many digits as RFC 5424, section 6.2.3, has a use for.
const timeLayout = "2006-01-02T15:04:05.000Z"

func (h header) message(dst, line []byte, at time.Time) []byte {
	dst = append(dst, h.before...)
	dst = at.UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, h.after...)
	return append(dst, line...)
}

// counted is message with its length in front.
func (h header) counted(dst, line []byte, at time.Time) []byte {
	length := len(h.before) + len(timeLayout) + len(h.after) + len(line)
	dst = strconv.AppendInt(dst, int64(length), 10)
	return h.message(append(dst, ' '), line, at)
}

// Facilities returns the names of the facilities, each at its number (RFC 5424, section 6.2.1).
func Facilities() []string {
	return []string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
}

// isWord reports whether s is printable ASCII without spaces, of at most so many bytes and not empty.
func isWord(s string, bytesMax int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= bytesMax
}
