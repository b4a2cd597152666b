package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// Limits of names and addresses.
const (
	hostBytesMax  = 253 // RFC 1035, section 2.3.4
	labelBytesMax = 63
	unixBytesMax  = 107 // of a Unix socket's path, what the kernel takes
)

// A nameFault is what is wrong with a site's name or an address, with what may have been meant.
func nameFault(text, hint string) error { return &scalarError{text, hint} }

// withScheme puts what stood before a part of a name or address in front of what may have been meant by that part.
func withScheme(err error, before string) error {
	if fault, ok := err.(*scalarError); ok && fault.hint != "" {
		return nameFault(fault.text, before+fault.hint)
	}
	return err
}

// splitPort splits host:port; IPv6 addresses stand in brackets, and lose them. port is "" if there is none.
func splitPort(s string) (host, port string, err error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, rest, closed := strings.Cut(inner, "]")
		addr, addrErr := netip.ParseAddr(host)
		if !closed || addrErr != nil || !addr.Is6() || addr.Zone() != "" || rest != "" && rest[0] != ':' {
			return "", "", nameFault("brackets hold an IPv6 address", "")
		}
		if rest == ":" {
			return "", "", nameFault("a port is missing after the colon", "")
		}
		return addr.String(), strings.TrimPrefix(rest, ":"), nil
	}
	if strings.Count(s, ":") > 1 {
		if i := strings.LastIndexByte(s, ':'); i > 0 && len(s)-i > 2 {
			if addr, err := netip.ParseAddr(s[:i]); err == nil && addr.Is6() {
				if _, err := parsePort(s[i+1:]); err == nil {
					return "", "", nameFault("an IPv6 address stands in brackets", "["+s[:i]+"]"+s[i:])
				}
			}
		}
		if addr, err := netip.ParseAddr(s); err == nil {
			return "", "", nameFault("an IPv6 address stands in brackets", "["+addr.String()+"]")
		}
		return "", "", nameFault("it holds more than one colon", "")
	}
	host, port, colon := strings.Cut(s, ":")
	if colon && port == "" {
		return "", "", nameFault("a port is missing after the colon", "")
	}
	return host, port, nil
}

// parsePort reads a port from 1 to 65535.
func parsePort(s string) (uint16, error) {
	if compact := strings.TrimSpace(s); compact != s {
		if n, err := strconv.ParseUint(compact, 10, 16); err == nil && n > 0 {
			return 0, nameFault("there are blanks around the port", "")
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || s[0] < '1' || s[0] > '9' {
		return 0, nameFault("a port is a number from 1 to 65535", "")
	}
	return uint16(n), nil
}

// checkHost checks a host name in lower case without a dot at its end, or an IPv4 address. Underscores are taken: real names have them.
func checkHost(host string) error {
	if host == "" {
		return nameFault("the host is missing", "")
	}
	if len(host) > hostBytesMax {
		return nameFault("a host name has at most 253 bytes", "")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return nameFault("a name that ends in a number is an IPv4 address, and this is none", "")
		}
	}
	return nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return nameFault("a dot stands at the beginning, or next to another one", "")
	case len(label) > labelBytesMax:
		return nameFault("a part of a host name has at most 63 bytes", "")
	case label[0] == '-' || label[len(label)-1] == '-':
		return nameFault("a part of a host name does not begin or end with a hyphen", "")
	}
	for _, c := range label {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c >= 0x80:
			return nameFault("a host name is ASCII: write an international one in its xn-- form", "")
		case c == '*':
			return nameFault(`"*" stands for the first part of a name only, as in *.example.com`, "")
		default:
			return nameFault("a host name holds letters, digits, hyphens and dots only, not "+strconv.QuoteRune(c), "")
		}
	}
	return nil
}

// lowerHost is the normal form of a host name: lower case, no dot at the end.
func lowerHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
