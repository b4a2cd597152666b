package accesslog

import (
	"bytes"
	"slices"
)

// Secrets are known in two ways, by the name they are given and by their shape. Both err on the side of hiding: a value that is missing in a log can be
// asked for again, one that leaked can't be taken back.

// secretParts are sensitive wherever they stand in a name that was folded (lower case, letters and digits only), by their first letter.
var secretParts = ['z' + 1][]string{
	'a': {"accesscode", "accesskey", "accountkey", "activationcode", "activationkey", "apikey", "assertion", "authkey", "authoriz"},
	'b': {"bearer"},
	'c': {"cardnumber", "connectionstring", "credential"},
	'e': {"encryptionkey"},
	'j': {"jwt"},
	'l': {"licencekey", "licensekey"},
	'p': {"passw", "passphrase", "passcode", "privatekey", "pwd"},
	's': {"secret", "session", "sessid", "sharedkey", "signature", "signingkey", "subscriptionkey", "samlre"},
	't': {"token"},
}

// nameBytesMax is how many letters and digits at the end of a name are looked at.
const nameBytesMax = 64

// A nameSet is the names that one log hides besides the fixed ones, folded.
type nameSet []string

func newNameSet(names []string) nameSet {
	var set nameSet
	for _, n := range names {
		var f foldedName
		f.fold([]byte(n))
		set = append(set, string(f.name()))
	}
	return set
}

// isSecret reports whether a value with this name, as it stands in a query, is to be hidden.
func (set nameSet) isSecret(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	var f foldedName
	f.fold(name)
	return f.hasSecretPart() || f.hasSecretWord() || isSecretName(f.name()) || set.has(f.name())
}

func (set nameSet) has(name []byte) bool {
	for _, s := range set {
		if string(name) == s {
			return true
		}
	}
	return false
}

// isSecretWord reports whether a value is sensitive if word is its whole name or one word of it: "sid", "connect.sid", "user[pass]".
func isSecretWord(word []byte) bool {
	switch string(word) {
	case "auth", "cookie", "csrf", "cvc", "cvv", "hmac", "mfa", "otp", "pass", "pin", "psk", "psw", "pw", "sid", "sig", "totp", "xsrf":
		return true
	}
	return false
}

// isSecretName reports whether name is sensitive as a whole. "code" and "key" are not words that make any name sensitive: country_code and sort_key are
// nobody's secret.
func isSecretName(name []byte) bool {
	switch string(name) {
	case "code", "codeverifier", "cred", "creds", "devicecode", "key", "licence", "license", "oauth", "oauthverifier", "onetimecode", "oobcode", "smscode", "sso", "ticket",
		"usercode", "verificationcode", "wskey":
		return true
	}
	return false
}

// A foldedName is a name without percent-encoding, in lower case, with letters and digits only: the spellings of one name are equal.
type foldedName struct {
	letters [nameBytesMax]byte
	n       int
	starts  uint64 // bit i is set if a word begins at letters[i]
}

// foldedByte is the lower-case form of letters and digits, and 0 for all other bytes.
var foldedByte = fillFoldedByte()

func fillFoldedByte() (t [256]byte) {
	for c := range len(t) {
		switch kindOf(byte(c)) {
		case digit, lower:
			t[c] = byte(c)
		case upper:
			t[c] = byte(c) | 0x20
		}
	}
	return t
}

func (f *foldedName) name() []byte { return f.letters[:f.n] }

func (f *foldedName) fold(name []byte) {
	// Six bytes for an encoded letter: more than that before the end can't matter.
	if long := len(name) - 6*nameBytesMax; long > 0 {
		name = name[long:]
	}
	apart := true
	for i := 0; i < len(name); {
		c, width := name[i], 1
		if c == '%' {
			c, width, _ = decode(name, i)
		}
		i += width
		c = foldedByte[c]
		if c == 0 {
			apart = true
			continue
		}
		if f.n == nameBytesMax {
			copy(f.letters[:], f.letters[1:])
			f.n--
			f.starts >>= 1
		}
		if apart {
			f.starts |= 1 << f.n
		}
		apart = false
		f.letters[f.n] = c
		f.n++
	}
}

func (f *foldedName) hasSecretPart() bool {
	const shortest = len("jwt")
	name := f.name()
	for i := 0; i+shortest <= len(name); i++ {
		for _, part := range secretParts[name[i]] {
			if len(name)-i >= len(part) && name[i+1] == part[1] && string(name[i:i+len(part)]) == part {
				return true
			}
		}
	}
	return false
}

func (f *foldedName) hasSecretWord() bool {
	for start := 0; start < f.n; {
		end := start + 1
		for end < f.n && f.starts&(1<<end) == 0 {
			end++
		}
		if isSecretWord(f.letters[start:end]) {
			return true
		}
		start = end
	}
	return false
}

// tokenBytesMin is the length of the shortest token that isToken knows.
const tokenBytesMin = 16

// tokenPrefixes are the beginnings by which issuers mark their secrets, by their first letter. "eyJ" is base64 of `{"`: a JWT (RFC 7519) or a part of one.
var tokenPrefixes = ['z' + 1][]string{
	'-': {"-----BEGIN"},
	'A': {"AKIA", "ASIA", "AIza", "ATATT", "AGE-SECRET-KEY-"},
	'N': {"NRAK-"},
	'P': {"PMAK-"},
	'S': {"SG."},
	'd': {"dop_v1_", "dckr_pat_"},
	'e': {"eyJ"},
	'f': {"figd_"},
	'g': {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glptt-", "gsk_"},
	'h': {"hvs.", "hvb.", "hf_"},
	'l': {"lin_api_"},
	'n': {"npm_"},
	'p': {"pk_live_", "pypi-"},
	'r': {"rk_live_", "rk_test_", "rubygems_"},
	's': {"sk_", "sk-", "shpat_", "shpss_", "shpca_", "shppa_", "sq0atp-", "sq0csp-"},
	'w': {"whsec_"},
	'x': {"xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe", "xapp-"},
	'y': {"ya29."},
}

// isToken reports whether v looks like a token whose issuer marked it as one. It is sure enough for paths.
func isToken(v []byte) bool {
	if len(v) < tokenBytesMin || v[0] > 'z' {
		return false
	}
	for _, prefix := range tokenPrefixes[v[0]] {
		// The last byte of a prefix is the one that other words have least.
		if last := len(prefix) - 1; v[last] == prefix[last] && string(v[:last]) == prefix[:last] {
			return true
		}
	}
	return false
}

// Bounds of looksRandom, in characters.
const (
	randomBytesMax = 512 // more is not looked at: it is not needed, and would take time
	mixedBytesMin  = 20  // upper case, lower case and digits: 119 bits at random
	hexBytesMin    = 32  // digits and letters of one case: 128 bits at random
)

// looksRandom reports whether v looks like a key or a session: letters and digits that change places as only chance does. It is for query values, not for
// paths, where hashes of content are common. Not taken for random: numbers, words in any case (a capital that begins a word is no change), UUIDs, which
// are what one looks up in a log, and letters without digits.
func looksRandom(v []byte) bool {
	if len(v) < mixedBytesMin || isUUID(v) {
		return false
	}
	v = v[:min(len(v), randomBytesMax)]
	var count [kinds]int
	changes, n, last, before := 0, 0, mark, mark
	for i := 0; i < len(v); n++ {
		c, width, _ := decode(v, i)
		i += width
		k := kindOf(c)
		if k == foreign {
			return false
		}
		// An upper-case letter after anything but another one may begin a word; then the lower-case one after it is no change.
		capital := last == upper && k == lower && before != upper
		if k != mark && last != mark && k != last && !capital {
			changes++
		}
		count[k]++
		before, last = last, k
	}
	switch {
	case count[digit] == 0 || count[upper]+count[lower] == 0:
		return false
	case count[upper] == 0 || count[lower] == 0:
		return n >= hexBytesMin && changes*100 >= n*14 // 30 to 47 of 100 at random
	case n >= hexBytesMin:
		return changes*100 >= n*22 // 44 of 100 at random
	}
	return n >= mixedBytesMin && changes*100 >= n*28 // as before, but fewer characters prove less
}

// kind is what sort of character a byte is, as far as randomness goes.
type kind uint8

const (
	mark    kind = iota // stands between letters in base64 and its kin
	digit               // 0 to 9
	lower               // a to z
	upper               // A to Z
	foreign             // not found in a key
	kinds
)

func kindOf(c byte) kind {
	switch {
	case '0' <= c && c <= '9':
		return digit
	case 'a' <= c && c <= 'z':
		return lower
	case 'A' <= c && c <= 'Z':
		return upper
	case bytes.IndexByte([]byte("-_+/=.~ "), c) >= 0: // a "+" of base64 that was not encoded can read as a space
		return mark
	}
	return foreign
}

// isUUID reports whether v has the form of a UUID (RFC 9562, section 4).
func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if dash := slices.Contains([]int{8, 13, 18, 23}, i); dash != (c == '-') || !dash && unhex(c) < 0 {
			return false
		}
	}
	return true
}

// unhex returns the value of a hexadecimal digit, -1 if c is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// decode returns the character of s at i, how many bytes it takes, and how many times it is percent-encoded: %3D is "=" once, %253D twice.
func decode(s []byte, i int) (c byte, width, depth int) {
	if s[i] != '%' {
		return s[i], 1, 0
	}
	j := i + 1
	for depth = 1; j+1 < len(s) && s[j] == '2' && s[j+1] == '5'; depth++ {
		j += 2
	}
	if j+1 >= len(s) {
		return '%', 1, 0
	}
	high, low := unhex(s[j]), unhex(s[j+1])
	if high < 0 || low < 0 {
		return '%', 1, 0
	}
	return byte(high<<4 | low), j + 2 - i, depth
}
