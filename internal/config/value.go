package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// special decodes the types that have a form of their own, and reports whether v was one.
func (d *Decoder) special(n *Node, v reflect.Value, f *field) bool {
	switch into := v.Addr().Interface().(type) {
	case **Node:
		*into = n
	case *[]*Node:
		d.nodes(n, into)
	case *[]Entry:
		if n.Kind != Map {
			d.wrong(n, "wrong-type", "a map", mapHint(n))
			return true
		}
		*into = n.Entries
	case *Duration:
		parsed(d, n, into, f, ParseDuration, "bad-duration", "a time such as 250ms, 5s or 1h30m")
	case *Size:
		parsed(d, n, into, f, ParseSize, "bad-size", "a size such as 64KiB or 2MB")
	case *Rate:
		parsed(d, n, into, f, ParseRate, "bad-rate", "a rate such as 20/s or 100/m")
	case *Share:
		parsed(d, n, into, f, ParseShare, "bad-share", "a share such as 1% or 0.05%")
	case *netip.Prefix:
		d.network(n, into)
	case *netip.Addr:
		d.address(n, into)
	case encoding.TextUnmarshaler:
		d.text(n, into)
	default:
		return false
	}
	return true
}

func (d *Decoder) nodes(n *Node, into *[]*Node) {
	if n.Kind != List {
		d.wrong(n, "wrong-type", "a list", listHint(n))
		return
	}
	*into = n.Items
}

// parsed reads a Duration, Size or Rate and checks it against the field's limits.
func parsed[T any](d *Decoder, n *Node, into *T, f *field, parse func(string) (T, error), code, want string) {
	if n.Kind != Scalar {
		d.wrong(n, "wrong-type", want, "")
		return
	}
	if n.IsOff() {
		d.wrong(n, "wrong-type", want, "")
		return
	}
	value, err := parse(n.Value)
	if none := strings.Trim(n.Value, "0smhdKMGTiB") == "" && strings.HasPrefix(n.Value, "0") && !n.Secret; none && f.off && (err != nil || f.min != "") {
		d.Hintf(n, code, "for none write off", "%s: %s is wrong", d.name(), describe(n))
		return
	}
	if err != nil {
		d.scalarError(n, code, err)
		return
	}
	if d.inRange(n, f, func(limit string) int {
		bound, err := parse(limit)
		if err != nil {
			panic("config: a limit in a tag: " + err.Error())
		}
		return compare(value, bound)
	}) {
		*into = value
	}
}

// compare orders two values of a parsed type; rates have no limits.
func compare[T any](a, b T) int {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if !x.CanInt() {
		return 0
	}
	switch {
	case x.Int() < y.Int():
		return -1
	case x.Int() > y.Int():
		return 1
	}
	return 0
}

// scalarError reports an error of one of the Parse functions.
func (d *Decoder) scalarError(n *Node, code string, err error) {
	hint := ""
	var fault *scalarError
	if errors.As(err, &fault) && fault.hint != "" && !n.Secret {
		hint = fmt.Sprintf("did you mean %q?", fault.hint)
	}
	d.Hintf(n, code, hint, "%s: %s is wrong: %s", d.name(), describe(n), err)
}

// inRange checks a value against the limits of its tag, with compare(limit) below, at or above 0.
func (d *Decoder) inRange(n *Node, f *field, compare func(limit string) int) bool {
	switch {
	case f.min != "" && compare(f.min) < 0:
		d.Errorf(n, "out-of-range", "%s must be at least %s", d.name(), f.min)
	case f.max != "" && compare(f.max) > 0:
		d.Errorf(n, "out-of-range", "%s must be at most %s", d.name(), f.max)
	default:
		return true
	}
	return false
}

// network reads a network, or one address as the network that holds only it.
func (d *Decoder) network(n *Node, into *netip.Prefix) {
	const want = "a network such as 10.0.0.0/8 or an address"
	if n.Kind != Scalar {
		d.wrong(n, "wrong-type", want, "")
		return
	}
	prefix, err := netip.ParsePrefix(n.Value)
	if err != nil {
		addr, addrErr := netip.ParseAddr(n.Value)
		if addrErr != nil || addr.Zone() != "" {
			d.wrong(n, "bad-network", want, networkHint(n))
			return
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if prefix.Addr().Is4In6() {
		d.Hintf(n, "bad-network", "write the IPv4 form", "%s: an IPv4 address in IPv6 form matches nothing", d.name())
		return
	}
	if prefix != prefix.Masked() {
		d.Hintf(n, "bad-network", fmt.Sprintf("did you mean %q?", prefix.Masked()), "%s: %s has bits set behind the network", d.name(), describe(n))
		return
	}
	*into = prefix
}

// networkHint is for a network with a mask instead of a number of bits, and for blanks around one.
func networkHint(n *Node) string {
	text := strings.TrimSpace(n.Value)
	if address, mask, found := strings.Cut(text, "/"); found {
		m, err := netip.ParseAddr(mask)
		if err == nil && m.Is4() {
			ones, bits := net.IPMask(m.AsSlice()).Size()
			if bits > 0 {
				text = fmt.Sprintf("%s/%d", address, ones)
			}
		}
	}
	if prefix, err := netip.ParsePrefix(text); err == nil && !n.Secret {
		return fmt.Sprintf("did you mean %q?", prefix.Masked())
	}
	return ""
}

func (d *Decoder) address(n *Node, into *netip.Addr) {
	addr, err := netip.ParseAddr(n.Value)
	if n.Kind != Scalar || err != nil {
		hint := ""
		if with, err := netip.ParseAddrPort(n.Value); err == nil && !n.Secret {
			hint = fmt.Sprintf("without its port: %q", with.Addr())
		}
		d.wrong(n, "bad-address", "an IP address", hint)
		return
	}
	*into = addr
}

func (d *Decoder) text(n *Node, into encoding.TextUnmarshaler) {
	if n.Kind != Scalar {
		d.wrong(n, "wrong-type", "a value", "")
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		text := err.Error()
		if n.Secret {
			text = "it can't be read"
		}
		if _, ok := into.(*regexp.Regexp); ok {
			d.Hintf(n, "bad-regexp", RegexpHint(n), "%s: %s", d.name(), strings.TrimPrefix(text, "error parsing regexp: "))
			return
		}
		d.Errorf(n, "bad-value", "%s: %s", d.name(), text)
	}
}

// RegexpHint says why an expression of other programs is none here, "" if that is not known.
func RegexpHint(n *Node) string {
	for _, sign := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>", `\1`, `\2`} {
		if strings.Contains(n.Value, sign) && !n.Secret {
			return "RE2 has no lookaround and no back-references"
		}
	}
	if strings.HasPrefix(n.Value, "*") && !n.Secret {
		return fmt.Sprintf("did you mean %q?", "."+n.Value)
	}
	return ""
}

// scalar decodes strings, bools and numbers.
func (d *Decoder) scalar(n *Node, v reflect.Value, f *field) {
	switch v.Kind() {
	case reflect.String:
		d.str(n, v, f)
	case reflect.Bool:
		d.boolean(n, v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.integer(n, v, f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.unsigned(n, v, f)
	case reflect.Float32, reflect.Float64:
		d.float(n, v, f)
	default:
		panic(fmt.Sprintf("config: a setting can't have type %v", v.Type()))
	}
}

func (d *Decoder) str(n *Node, v reflect.Value, f *field) {
	if n.Kind != Scalar {
		d.wrong(n, "wrong-type", "a text", "")
		return
	}
	if words, ok := v.Addr().Interface().(Words); ok {
		d.word(n, v, words)
		return
	}
	if n.IsOff() && f.key != "" && !f.off {
		d.Hintf(n, "wrong-type", `the text itself is written "off"`, "%s can't be off; it wants a text", d.name())
		return
	}
	if f.text || d.OneLine(n) {
		v.SetString(n.Value)
	}
}

// word takes one of a closed set.
func (d *Decoder) word(n *Node, v reflect.Value, of Words) {
	words := of.ConfigWords()
	for _, word := range words {
		if n.Value == word {
			v.SetString(word)
			return
		}
	}
	all := append(slices.Clone(words), plannedWords(of)...)
	if slices.Contains(all, n.Value) && !n.Secret {
		d.Hintf(n, "not-built", "this version of Sluice has "+orList(words), "%s: %s is not built yet", d.name(), n.Value)
		return
	}
	hint := ""
	switch best := nearest(n.Value, all); {
	case best == "" || n.Secret:
	case slices.Contains(words, best):
		hint = fmt.Sprintf("did you mean %q?", best)
	default:
		hint = fmt.Sprintf("did you mean %q? This version of Sluice does not have it yet", best)
	}
	d.Hintf(n, "bad-word", hint, "%s is %s, not %s", d.name(), orList(words), describe(n))
}

// orList joins words as "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// OneLine refuses a value with a control character: a line break in a field value, a path or a log line is an injection. Every string is checked, except where
// the tag says text.
func (d *Decoder) OneLine(n *Node) bool {
	i := strings.IndexFunc(n.Value, isControl)
	if i < 0 {
		return true
	}
	hint := ""
	if n.Value[i] == '\n' && !n.Secret {
		hint = "write it in one line"
	}
	d.Hintf(n, "control-character", hint, "%s holds %s", d.name(), controlName([]rune(n.Value[i:])[0]))
	return false
}

func controlName(r rune) string {
	switch r {
	case '\n', '\r':
		return "a line break"
	case '\t':
		return "a tab"
	}
	return fmt.Sprintf("control character %U", r)
}

func (d *Decoder) boolean(n *Node, v reflect.Value) {
	if n.Kind == Scalar && !n.Quoted && (n.Value == "true" || n.Value == "false") {
		v.SetBool(n.Value == "true")
		return
	}
	hint := ""
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on", "y", "1":
		hint = `did you mean "true"?`
	case "false", "no", "off", "n", "0":
		hint = `did you mean "false"?`
	}
	if n.Quoted && hint != "" {
		hint = "leave the quotes out"
	}
	d.wrong(n, "wrong-type", "true or false", hint)
}

// number checks that n is an unquoted number without a leading zero or plus, which other tools take for something else.
func (d *Decoder) number(n *Node, want string) bool {
	digits := strings.TrimPrefix(n.Value, "-")
	first, _ := cutDigits(digits)
	switch {
	case n.Kind != Scalar || first == "":
		d.wrong(n, "wrong-type", want, numberHint(n))
	case n.Quoted:
		d.wrong(n, "wrong-type", want, "leave the quotes out")
	case len(first) > 1 && first[0] == '0':
		d.wrong(n, "wrong-type", want, "a number does not begin with 0")
	default:
		return true
	}
	return false
}

func (d *Decoder) integer(n *Node, v reflect.Value, f *field) {
	const want = "a whole number"
	if !d.number(n, want) {
		return
	}
	i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
	if err != nil {
		d.numberError(n, want, err)
		return
	}
	if d.inRange(n, f, func(limit string) int {
		bound, _ := strconv.ParseInt(limit, 10, 64)
		return compare(i, bound)
	}) {
		v.SetInt(i)
	}
}

func (d *Decoder) unsigned(n *Node, v reflect.Value, f *field) {
	const want = "a whole number from 0 on"
	if !d.number(n, want) {
		return
	}
	u, err := strconv.ParseUint(n.Value, 10, v.Type().Bits())
	if err != nil {
		d.numberError(n, want, err)
		return
	}
	if d.inRange(n, f, func(limit string) int {
		bound, _ := strconv.ParseInt(limit, 10, 64)
		return compare(int64(min(u, 1<<62)), bound)
	}) {
		v.SetUint(u)
	}
}

func (d *Decoder) numberError(n *Node, want string, err error) {
	if errors.Is(err, strconv.ErrRange) {
		d.Errorf(n, "out-of-range", "%s: %s is too large", d.name(), describe(n))
		return
	}
	d.wrong(n, "wrong-type", want, numberHint(n))
}

// numberHint is for whole numbers as other programs write them: 0x10, 1_000, 1e3, +2.
func numberHint(n *Node) string {
	if n.Kind != Scalar || n.Secret {
		return ""
	}
	if i, err := strconv.ParseInt(strings.TrimPrefix(n.Value, "+"), 0, 64); err == nil {
		return fmt.Sprintf("did you mean %d?", i)
	}
	if x, err := strconv.ParseFloat(n.Value, 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return fmt.Sprintf("did you mean %d?", int64(x))
	}
	return ""
}

func (d *Decoder) float(n *Node, v reflect.Value, f *field) {
	const want = "a number"
	if !d.number(n, want) {
		return
	}
	x, err := strconv.ParseFloat(n.Value, v.Type().Bits())
	if err != nil || strings.ContainsAny(n.Value, "xX_pP") {
		d.wrong(n, "wrong-type", want, "")
		return
	}
	if d.inRange(n, f, func(limit string) int {
		bound, _ := strconv.ParseFloat(limit, 64)
		if x < bound {
			return -1
		}
		if x > bound {
			return 1
		}
		return 0
	}) {
		v.SetFloat(x)
	}
}
