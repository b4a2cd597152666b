package target

// A class says where a byte may stand.
type class uint8

const (
	unreserved class = 1 << iota // RFC 3986, section 2.3: never needs percent-encoding
	pchar                        // stands for itself in a segment of a path (section 3.3)
	regName                      // may stand in a registered name (section 3.2.2)
	inPath                       // is taken in a path as received: pchar, "/", "%", and what is encoded
	inQuery                      // is taken in a query
	hexDigit
	lax // once percent-encoded, a lax reader may take it for a separator or, with what follows, for ASCII: hidesDots
)

var classes = fillClasses()

func fillClasses() (t [256]class) {
	set := func(bytes string, c class) {
		for _, b := range []byte(bytes) {
			t[b] |= c
		}
	}
	const (
		digits    = "0123456789"
		letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		subDelims = "!$&'()*+,;="
	)
	set(digits+letters+"-._~", unreserved|pchar|regName|inPath|inQuery)
	set(subDelims, pchar|regName|inPath|inQuery)
	set(":@", pchar|inPath|inQuery)
	set("/%", inPath|inQuery)
	set("?", inQuery)
	set("[]^`{|}", inPath|inQuery)
	set(`\`, inQuery)
	set(digits+"ABCDEFabcdef", hexDigit)
	set("/\\\xC0\xC1\xE0\xF0", lax)
	return t
}

// unhex returns the value of a hexadecimal digit. The caller has checked that it is one.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// triplet returns the byte that the percent-encoding at the start of b stands for (RFC 3986, section 2.1).
func triplet(b []byte) (v byte, ok bool) {
	if len(b) < 3 || b[0] != '%' || classes[b[1]]&classes[b[2]]&hexDigit == 0 {
		return 0, false
	}
	return unhex(b[1])<<4 | unhex(b[2]), true
}
