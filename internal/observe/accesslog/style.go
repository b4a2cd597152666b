package accesslog

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"

	"sluice/internal/exchange"
)

// A Format is how a line is written.
type Format uint8

const (
	// JSON is one object with all that is known (README.md).
	JSON Format = iota
	// Common is the NCSA Common Log Format.
	Common
	// Combined is Common with Referer and User-Agent.
	Combined
)

// Addresses says how much of a client's address is written: of the client itself, and of the other end of its connection.
type Addresses uint8

const (
	// Full writes addresses as they are.
	Full Addresses = iota
	// Truncated writes the network, of 24 bits of an IPv4 and 48 bits of an IPv6 address, and no port.
	Truncated
	// Hashed writes 16 hex digits that are the same for the same address, as long as the key is, and no port. Without the key they say nothing.
	Hashed
)

// A style is how lines are written. It does not change.
type style struct {
	line      func(dst []byte, x *exchange.Exchange, st *style, s *stamp) []byte
	hide      nameSet
	addresses Addresses
	inner     [sha256.BlockSize]byte // the padded keys of HMAC (RFC 2104)
	outer     [sha256.BlockSize]byte
}

// newStyle returns the style of s. key is for hashes.
func newStyle(s Settings, key [sha256.Size]byte) *style {
	st := &style{hide: newNameSet(s.Hide), addresses: s.Addresses, line: appendJSON}
	switch s.Format {
	case Common:
		st.line = appendCommon
	case Combined:
		st.line = appendCombined
	}
	for i := range st.inner {
		st.inner[i], st.outer[i] = 0x36, 0x5C
		if i < len(key) {
			st.inner[i] ^= key[i]
			st.outer[i] ^= key[i]
		}
	}
	return st
}

// hashKey is the key for hashes: of the config's text, or random if that is empty.
func hashKey(text string) (key [sha256.Size]byte) {
	if text != "" {
		return sha256.Sum256([]byte(text))
	}
	_, _ = rand.Read(key[:]) // it never fails
	return key
}

// appendAddr appends an address as far as it is to be known. It comes without its zone, which in a forwarding field is any text.
func (st *style) appendAddr(dst []byte, addr netip.Addr) []byte {
	switch st.addresses {
	case Truncated:
		addr = addr.Unmap()
		bits := 24
		if addr.Is6() {
			bits = 48
		}
		network, _ := addr.WithZone("").Prefix(bits)
		return network.Addr().AppendTo(dst)
	case Hashed:
		return st.appendHash(dst, addr)
	}
	return addr.WithZone("").AppendTo(dst)
}

// appendAddrPort is appendAddr with the port if the whole address is to be known: together with the time, a port tells the users of one address apart.
func (st *style) appendAddrPort(dst []byte, peer netip.AddrPort) []byte {
	if st.addresses != Full {
		return st.appendAddr(dst, peer.Addr())
	}
	return netip.AddrPortFrom(peer.Addr().WithZone(""), peer.Port()).AppendTo(dst)
}

// appendHash appends the first half of an HMAC-SHA-256 of the address in 16 bytes. crypto/hmac would allocate. BenchmarkAppendHashed.
func (st *style) appendHash(dst []byte, addr netip.Addr) []byte {
	var in [sha256.BlockSize + 16]byte
	copy(in[:], st.inner[:])
	as16 := addr.As16()
	copy(in[sha256.BlockSize:], as16[:])
	sum := sha256.Sum256(in[:])
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], st.outer[:])
	copy(out[sha256.BlockSize:], sum[:])
	sum = sha256.Sum256(out[:])
	return hex.AppendEncode(dst, sum[:8])
}

// appendCommon appends the line of x in the Common Log Format: host ident user [date] "request" status bytes.
//
// In its texts a quote, a backslash and whatever is not printable become \xHH, as other servers write them; in the request also a space. So there are always
// as many fields as there should be, also for a reader that knows no escapes. The user is never written.
func appendCommon(dst []byte, x *exchange.Exchange, st *style, s *stamp) []byte {
	return append(st.appendNCSA(dst, x, s), '\n')
}

// appendCombined is appendCommon with Referer and User-Agent.
func appendCombined(dst []byte, x *exchange.Exchange, st *style, s *stamp) []byte {
	dst = append(st.appendNCSA(dst, x, s), ` "`...)
	f := &x.Request.Fields
	if v := f.Get(exchange.FieldReferer); len(v) > 0 {
		dst = st.hide.appendURL(dst, v, false, targetBytesMax, asQuoted)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, `" "`...)
	if v := f.Get(exchange.FieldUserAgent); len(v) > 0 {
		dst = appendAgent(dst, v, st.hide, asQuoted)
	} else {
		dst = append(dst, '-')
	}
	return append(dst, "\"\n"...)
}

func (st *style) appendNCSA(dst []byte, x *exchange.Exchange, s *stamp) []byte {
	if addr := clientAddr(&x.Client); addr.IsValid() {
		dst = st.appendAddr(dst, addr)
	} else {
		dst = append(dst, '-')
	}
	dst = append(dst, ` - - [`...)
	dst = s.appendDate(dst, x.Driver.Time())
	dst = append(dst, `] "`...)
	dst = st.appendRequestLine(dst, &x.Request)
	dst = append(dst, `" `...)
	if x.Response.Status == 0 {
		dst = append(dst, "000"...)
	} else {
		dst = strconv.AppendInt(dst, int64(x.Response.Status), 10)
	}
	dst = append(dst, ' ')
	if x.Notes.ContentOut == 0 {
		return append(dst, '-')
	}
	return strconv.AppendInt(dst, x.Notes.ContentOut, 10)
}

// appendRequestLine appends what the client asked for, as it asked; "-" if that is not known.
func (st *style) appendRequestLine(dst []byte, r *exchange.Request) []byte {
	path, query, hasQuery := splitTarget(r)
	if r.Method == "" && len(path) == 0 {
		return append(dst, '-')
	}
	dst = appendText(dst, orDash(r.Method), nameBytesLimit, asWord)
	dst = append(dst, ' ')
	if len(path) == 0 {
		dst = append(dst, '-')
	}
	dst = st.hide.appendURL(dst, path, false, targetBytesMax, asWord)
	if hasQuery {
		dst = append(dst, '?')
		dst = st.hide.appendURL(dst, query, true, targetBytesMax, asWord)
	}
	dst = append(dst, ' ')
	return appendText(dst, orDash(r.Received.Version), nameBytesLimit, asWord)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
