package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// Log says what is logged.
type Log struct {
	// Level is the least that is logged of what the process itself has to say.
	Level Level `conf:"level"`
	// File is where that goes: "stderr", "stdout" or a path.
	File string `conf:"file"`
	// Rotate puts the file aside for a new one; off leaves that to others.
	Rotate *Rotation `conf:"rotate,off"`
	// Access is the log of exchanges; off is none.
	Access *AccessLog `conf:"access,off"`
}

// Defaults implements Defaulter.
func (l *Log) Defaults() {
	access := &AccessLog{}
	access.Defaults()
	*l = Log{Level: "info", File: "stderr", Access: access}
}

// ValidateConfig implements Validator.
func (l *Log) ValidateConfig(d *Decoder, n *Node) {
	if l.File == "journal" {
		d.Hintf(n.Get("file"), "conflict", "write stderr", "what a service of systemd writes to stderr is in the journal already")
		return
	}
	checkRotation(d, n, l.Rotate, l.File)
}

// Level is how much is logged.
type Level string

// ConfigWords implements Words.
func (Level) ConfigWords() []string { return []string{"debug", "info", "warn", "error"} }

// AccessLog is the log of exchanges, one line for each. Sites and routes say with their own log which of their exchanges are in it.
type AccessLog struct {
	// File is where lines go: "stdout", "stderr", "journal" (the systemd journal) or a path.
	File string `conf:"file"`
	// Syslog is where lines go instead of a file; off is nowhere else.
	Syslog *Syslog `conf:"syslog,off"`
	// Rotate puts the file aside for a new one; off leaves that to others.
	Rotate *Rotation `conf:"rotate,off"`
	// Format is how a line is written.
	Format LogFormat `conf:"format"`
	// Redact names further query parameters whose values are hidden.
	Redact []string `conf:"redact,one"`
	// Addresses says how much of a client's address is written: "full"; "truncated" (24 bits of IPv4, 48 of IPv6, no port); "hashed" (16 hex digits).
	Addresses LogAddresses `conf:"addresses"`
	// HashKey is the secret that hashes of addresses are made with. Without it they differ after each start.
	HashKey string `conf:"hash_key,secret"`
}

// Defaults implements Defaulter.
func (a *AccessLog) Defaults() { *a = AccessLog{File: "stdout", Format: "json", Addresses: "full"} }

// hashKeyMin is the length of the shortest key for hashes, in bytes. There are few addresses: with a key that can be guessed, so can they.
const hashKeyMin = 16

// ValidateConfig implements Validator.
func (a *AccessLog) ValidateConfig(d *Decoder, n *Node) {
	if a.Syslog != nil && n.Get("file") != nil {
		d.Errorf(n.Get("file"), "conflict", "lines go to a file or to syslog, not to both")
	}
	if a.Syslog != nil && a.Rotate != nil {
		d.Errorf(n.Get("rotate"), "conflict", "only a file is rotated")
		return
	}
	checkRotation(d, n, a.Rotate, a.File)
	if key := n.Get("hash_key"); key != nil && len(a.HashKey) < hashKeyMin {
		d.Errorf(key, "out-of-range", "a key for hashes has at least %d characters: one that can be guessed hides no address", hashKeyMin)
	}
}

// LogFormat is how a line of the access log is written.
type LogFormat string

// ConfigWords implements Words.
func (LogFormat) ConfigWords() []string { return []string{"json", "common", "combined"} }

// LogAddresses is how much of an address is written.
type LogAddresses string

// ConfigWords implements Words.
func (LogAddresses) ConfigWords() []string { return []string{"full", "truncated", "hashed"} }

// Rotation says when a file is put aside for a new one, and what becomes of the old ones.
type Rotation struct {
	// Size is the largest that the file gets; off is no limit.
	Size Size `conf:"size,off,min=1MiB"`
	// Age is how long the file is written to, in spans counted from 1970 on in UTC: with 1d a file begins at midnight; off is no limit.
	Age Duration `conf:"age,off,min=1m"`
	// Keep is how many old files are kept; off is all.
	Keep int `conf:"keep,off,min=0,max=100000"`
	// Compress packs old files with gzip, all but the youngest one.
	Compress bool `conf:"compress"`
}

// Defaults implements Defaulter.
func (r *Rotation) Defaults() { *r = Rotation{Size: 100 << 20, Keep: 10} }

// ConfigName implements Named.
func (*Rotation) ConfigName() string { return "the rotation of a log" }

// checkRotation refuses a rotation of what is no file. n is the map that has it.
func checkRotation(d *Decoder, n *Node, r *Rotation, file string) {
	switch {
	case r == nil:
	case slices.Contains([]string{"stdout", "stderr", "journal"}, file):
		d.Hintf(n.Get("rotate"), "conflict", "set file to a path", "only a file is rotated, and this log goes to %s", file)
	case r.Size == 0 && r.Age == 0:
		d.Errorf(n.Get("rotate"), "conflict", "without a size and an age the file is never rotated")
	}
}

// Syslog is a syslog server that takes messages by RFC 5424.
type Syslog struct {
	// Address is where it listens: "udp://logs.example.com:514", "tcp://logs.example.com:601" or "unix:/dev/log".
	Address SyslogAddress `conf:"address,required"`
	// Facility is what the messages are said to come from.
	Facility Facility `conf:"facility"`
	// Tag is the name of the application in the messages.
	Tag string `conf:"tag"`
}

// Defaults implements Defaulter.
func (s *Syslog) Defaults() { *s = Syslog{Facility: "local0", Tag: "sluice"} }

// ConfigName implements Named.
func (*Syslog) ConfigName() string { return "syslog" }

// tagMax is the length of the longest name of an application (RFC 5424, section 6.2.5).
const tagMax = 48

// ValidateConfig implements Validator.
func (s *Syslog) ValidateConfig(d *Decoder, n *Node) {
	if strings.ContainsFunc(s.Tag, func(r rune) bool { return r <= ' ' || r > '~' }) || s.Tag == "" || len(s.Tag) > tagMax {
		d.Errorf(n.Get("tag"), "bad-name", "a tag is up to %d printable ASCII characters without a space", tagMax)
	}
}

// Facility is one of the facilities that RFC 5424 has for programs other than the system's own.
type Facility string

// ConfigWords implements Words.
func (Facility) ConfigWords() []string {
	return []string{"user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

// SyslogAddress is where a syslog server listens. The zero SyslogAddress is nowhere.
type SyslogAddress struct {
	Network string // "udp", "tcp" or "unixgram", as package net calls them
	Address string // host and port, or a path
}

// DecodeConfig implements NodeDecoder.
func (a *SyslogAddress) DecodeConfig(d *Decoder, n *Node) {
	const want = "an address such as udp://logs.example.com:514, tcp://10.0.0.9:601 or unix:/dev/log"
	if n.Kind != Scalar {
		d.wrong(n, "wrong-type", want, "")
		return
	}
	if !d.OneLine(n) {
		return
	}
	if path, ok := strings.CutPrefix(n.Value, "unix:"); ok && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		*a = SyslogAddress{"unixgram", path}
		return
	}
	d.hideUser(n)
	u, err := url.Parse(n.Value)
	switch {
	case err == nil && u.User != nil:
		d.Hintf(n, "bad-address", "leave out what stands before the @", "syslog has no users and passwords")
	case err != nil || u.Scheme != "udp" && u.Scheme != "tcp" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		d.Errorf(n, "bad-address", "%s wants %s", d.name(), want)
	case u.Port() == "":
		d.Errorf(n, "bad-address", "a port is missing: servers commonly take udp on 514 and tcp on 601")
	default:
		*a = SyslogAddress{u.Scheme, net.JoinHostPort(u.Hostname(), u.Port())}
	}
}

// ConfigForms implements Formed.
func (*SyslogAddress) ConfigForms() []any {
	return []any{Form{Text: "an address such as udp://logs.example.com:514, tcp://10.0.0.9:601 or unix:/dev/log"}}
}
