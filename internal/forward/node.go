package forward

import (
	"bytes"
	"net/netip"

	"sluice/internal/exchange"
)

// parseNode reads the address of a node (RFC 7239, section 6): IPv4, or IPv6 in brackets, each with an optional port. X-Forwarded-For has IPv6 without
// brackets, too: bare allows that. Hidden nodes and everything else have no address. IPv4-mapped addresses become IPv4.
func parseNode(b []byte, bare bool) (addr netip.Addr, ok bool) {
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || !isPort(b[end+1:]) {
			return netip.Addr{}, false
		}
		return parseIPv6(b[1:end])
	}
	colon := bytes.IndexByte(b, ':')
	if colon < 0 {
		return parseIPv4(b)
	}
	if bare && bytes.IndexByte(b[colon+1:], ':') >= 0 {
		return parseIPv6(b)
	}
	if !isPort(b[colon:]) {
		return netip.Addr{}, false
	}
	return parseIPv4(b[:colon])
}

// isPort reports whether b is empty, or a colon and a port: one to five digits, or an obfuscated one (RFC 7239, section 6.2 and 6.3).
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) == 1 {
		return false
	}
	b = b[1:]
	if b[0] == '_' {
		for _, c := range b[1:] {
			if !isAlnum(c) && c != '.' && c != '_' && c != '-' {
				return false
			}
		}
		return len(b) > 1
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) <= 5
}

// parseIPv4 is netip.ParseAddr for dotted decimal without the copy that makes its string: no leading zeros, no short forms. FuzzParseAddr compares the two.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var ip [4]byte
	at, digits, value := 0, 0, 0
	for _, c := range b {
		switch {
		case c == '.':
			if digits == 0 || at == 3 {
				return netip.Addr{}, false
			}
			ip[at] = byte(value)
			at, digits, value = at+1, 0, 0
		case c < '0' || c > '9' || digits > 0 && value == 0:
			return netip.Addr{}, false
		default:
			digits++
			if value = value*10 + int(c-'0'); value > 255 {
				return netip.Addr{}, false
			}
		}
	}
	if at != 3 || digits == 0 {
		return netip.Addr{}, false
	}
	ip[3] = byte(value)
	return netip.AddrFrom4(ip), true
}

// parseIPv6 is netip.ParseAddr for IPv6 without a zone (RFC 4291, section 2.2), without the copy that makes its string. A mapped address becomes IPv4.
func parseIPv6(b []byte) (netip.Addr, bool) {
	var ip [16]byte
	at, gap := 0, -1 // next byte of ip; where "::" stands
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 {
		if at == 16 {
			return netip.Addr{}, false
		}
		end := bytes.IndexByte(b, ':')
		if end < 0 && bytes.IndexByte(b, '.') >= 0 {
			v4, ok := parseIPv4(b)
			if !ok || at > 12 {
				return netip.Addr{}, false
			}
			tail := v4.As4()
			at += copy(ip[at:], tail[:])
			break
		}
		if end < 0 {
			end = len(b)
		}
		group, ok := parseGroup(b[:end])
		if !ok {
			return netip.Addr{}, false
		}
		ip[at], ip[at+1] = byte(group>>8), byte(group)
		at += 2
		if b = b[end:]; len(b) == 0 {
			break
		}
		if b = b[1:]; len(b) == 0 { // one colon at the end
			return netip.Addr{}, false
		}
		if b[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap, b = at, b[1:]
		}
	}
	return finishIPv6(ip, at, gap)
}

// finishIPv6 moves what follows "::" to the end. "::" stands for one group at least.
func finishIPv6(ip [16]byte, at, gap int) (netip.Addr, bool) {
	if whole := at == 16; whole != (gap < 0) {
		return netip.Addr{}, false
	}
	if gap < 0 {
		return netip.AddrFrom16(ip).Unmap(), true
	}
	tail := copy(ip[16-(at-gap):], ip[gap:at])
	clear(ip[gap : 16-tail])
	return netip.AddrFrom16(ip).Unmap(), true
}

// parseGroup reads one to four hexadecimal digits.
func parseGroup(b []byte) (group uint16, ok bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		group = group<<4 | uint16(c)
	}
	return group, true
}

// appendNode appends addr as a node of Forwarded: IPv6 in brackets and quotes, an invalid one as "unknown" (RFC 7239, section 6).
func appendNode(dst []byte, addr netip.Addr) []byte {
	switch {
	case !addr.IsValid():
		return append(dst, "unknown"...)
	case addr.Is4():
		return addr.AppendTo(dst)
	}
	dst = append(dst, `"[`...)
	dst = addr.AppendTo(dst)
	return append(dst, `]"`...)
}

// appendValue appends v as a token, or as a quoted string if it is not one.
func appendValue(dst, v []byte) []byte {
	if isToken(v) {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// joinedLength is how many bytes appendJoined needs.
func joinedLength(f *exchange.Fields, id exchange.Name) (n int) {
	if !f.Has(id) {
		return 0
	}
	for _, l := range f.Lines() {
		if l.ID == id {
			n += len(l.Value) + 2
		}
	}
	return n
}

// appendJoined appends the values of all lines with that name as one list, with a comma after each but the empty ones (RFC 9110, section 5.3).
func appendJoined(dst []byte, f *exchange.Fields, id exchange.Name) []byte {
	for _, l := range f.Lines() {
		if l.ID == id && len(l.Value) > 0 {
			dst = append(dst, l.Value...)
			dst = append(dst, ", "...)
		}
	}
	return dst
}
