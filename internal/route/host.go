package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A Host is a pattern for the host of a request. The zero Host takes any host, also none.
type Host struct {
	kind hostKind
	name string // the host, or the suffix behind the "*" with its dot
}

type hostKind uint8

const (
	anyHost   hostKind = iota
	exactHost          // shop.example.com
	wildHost           // *.example.com
)

// hostBytesMax is the longest host name, in bytes (RFC 1035, section 2.3.4).
const hostBytesMax = 253

// ParseHost returns the pattern that text writes: a host name, an IP address (IPv6 in brackets), "*.example.com" for all names below example.com at any
// depth, "" or "*" for any host. Case and a dot at the end do not count.
func ParseHost(text string) (Host, error) {
	if text == "" || text == "*" {
		return Host{}, nil
	}
	name := strings.TrimSuffix(strings.ToLower(text), ".")
	if strings.HasPrefix(name, "[") {
		return parseIPv6(name)
	}
	if suffix, ok := strings.CutPrefix(name, "*"); ok && strings.HasPrefix(suffix, ".") {
		return Host{wildHost, suffix}, checkName(suffix[1:])
	}
	return Host{exactHost, name}, checkName(name)
}

func parseIPv6(name string) (Host, error) {
	inner, ok := strings.CutSuffix(name[1:], "]")
	addr, err := netip.ParseAddr(inner)
	if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
		return Host{}, fmt.Errorf("%q is not an IPv6 address in brackets without a port", name)
	}
	return Host{exactHost, name}, nil
}

// checkName accepts what a client can send as a host name: letters, digits, hyphens and underscores between dots.
func checkName(name string) error {
	if len(name) > hostBytesMax {
		return fmt.Errorf("a host name has at most %d bytes", hostBytesMax)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" {
			return errors.New("a host name has no empty labels")
		}
		for i := range len(label) {
			if err := checkHostByte(label[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkHostByte(c byte) error {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		return nil
	case c == '*':
		return errors.New(`a "*" stands for whole labels at the beginning only, as in "*.example.com"`)
	case c == ':':
		return errors.New("a host has no port and no scheme here; an IPv6 address stands in brackets")
	case c >= 0x80:
		return errors.New(`write the name in its ASCII form ("xn--…")`)
	}
	return fmt.Errorf("%q cannot be part of a host name", c)
}

// String returns the pattern in normal form, "*" for any host.
func (h Host) String() string {
	switch h.kind {
	case exactHost:
		return h.name
	case wildHost:
		return "*" + h.name
	}
	return "*"
}

// matches reports whether h takes host, which is in normal form.
func (h Host) matches(host []byte) bool {
	switch h.kind {
	case exactHost:
		return string(host) == h.name
	case wildHost:
		return len(host) > len(h.name) && string(host[len(host)-len(h.name):]) == h.name
	}
	return true
}

// covers reports whether h takes each host that other takes.
func (h Host) covers(other Host) bool {
	switch {
	case h.kind == anyHost, h == other:
		return true
	case h.kind == wildHost && other.kind != anyHost:
		return len(other.name) > len(h.name) && strings.HasSuffix(other.name, h.name)
	}
	return false
}
