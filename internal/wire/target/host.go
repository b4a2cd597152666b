package target

import "bytes"

// portMax is the largest port number of TCP and UDP.
const portMax = 65535

// CheckHost splits an authority without user information, which is also the value of a Host field (RFC 9110, section 7.2), into host and port. ok is
// false if it does not follow the grammar of RFC 3986, section 3.2.2, if the host is empty, which http and https do not allow (RFC 9110, section
// 4.2.1), or if the port is above 65535. An IPv6 host keeps its brackets; port is nil if there is no colon, and may be empty.
func CheckHost(authority []byte) (host, port []byte, ok bool) {
	end := 0
	if len(authority) > 0 && authority[0] == '[' {
		end = literalEnd(authority)
	} else {
		end = regNameEnd(authority)
	}
	if end == 0 {
		return nil, nil, false
	}
	host = authority[:end]
	if end == len(authority) {
		return host, nil, true
	}
	port = authority[end+1:]
	if authority[end] != ':' || !isPort(port) {
		return nil, nil, false
	}
	return host, port, true
}

// regNameEnd returns the end of the registered name (or IPv4 address) at the start of b, 0 if it is faulty or empty.
func regNameEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		if classes[b[i]]&regName != 0 {
			continue
		}
		if b[i] != '%' {
			return i
		}
		// Percent-encoding in a host is for UTF-8 beyond ASCII only; anything else would be a second spelling of a name (RFC 3986, section 3.2.2).
		if v, ok := triplet(b[i:]); !ok || v < 0x80 {
			return 0
		}
		i += 2
	}
	return len(b)
}

// literalEnd returns the end of the bracketed address at the start of b, 0 if it is faulty.
func literalEnd(b []byte) int {
	end := bytes.IndexByte(b, ']')
	if end < 0 || !isIPv6(b[1:end]) && !isIPvFuture(b[1:end]) {
		return 0
	}
	return end + 1
}

// isPort reports whether b is a port: digits, perhaps none, that are no more than 65535.
func isPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
		if n = n*10 + int(c-'0'); n > portMax {
			return false
		}
	}
	return true
}

// isIPv6 reports whether b is an IPv6 address in the grammar of RFC 3986, section 3.2.2: without a zone.
func isIPv6(b []byte) bool {
	groups, gap := 0, false
	if bytes.HasPrefix(b, []byte("::")) {
		gap, b = true, b[2:]
		if len(b) == 0 {
			return true
		}
	}
	for {
		n := 0
		for n < len(b) && classes[b[n]]&hexDigit != 0 {
			n++
		}
		if n < len(b) && b[n] == '.' {
			return isIPv4(b) && (!gap && groups == 6 || gap && groups < 6) // it stands for two groups
		}
		if n == 0 || n > 4 || groups == 8 {
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			return !gap && groups == 8 || gap && groups < 8
		}
		if b[0] != ':' {
			return false
		}
		b = b[1:]
		if len(b) > 0 && b[0] == ':' {
			if gap {
				return false
			}
			gap, b = true, b[1:]
			if len(b) == 0 {
				return groups < 8
			}
		}
	}
}

// isIPv4 reports whether b is four decimal numbers up to 255, without leading zeros (RFC 3986, section 3.2.2).
func isIPv4(b []byte) bool {
	for part := range 4 {
		n, value := 0, 0
		for n < len(b) && n < 3 && '0' <= b[n] && b[n] <= '9' {
			value = value*10 + int(b[n]-'0')
			n++
		}
		if n == 0 || value > 255 || n > 1 && b[0] == '0' {
			return false
		}
		b = b[n:]
		if part == 3 {
			break
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
	return len(b) == 0
}

// isIPvFuture reports whether b is an address of a later version: "v", hexadecimal digits, ".", and at least one more byte (RFC 3986, section 3.2.2).
func isIPvFuture(b []byte) bool {
	version, address, found := bytes.Cut(b, []byte("."))
	if !found || len(version) < 2 || version[0]|0x20 != 'v' || len(address) == 0 {
		return false
	}
	for _, c := range version[1:] {
		if classes[c]&hexDigit == 0 {
			return false
		}
	}
	for _, c := range address {
		if classes[c]&regName == 0 && c != ':' {
			return false
		}
	}
	return true
}

// Lower returns b with ASCII letters in lower case: b itself if it has no capitals, else a copy written into room (grown if it is too small).
// Hosts are compared in lower case (RFC 3986, section 6.2.2.1).
func Lower(room, b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			return appendLower(append(room[:0], b[:i]...), b[i:])
		}
	}
	return b
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
