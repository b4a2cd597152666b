package h1

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"sluice/internal/exchange"
)

// The parsers below are the plain twins of this package: slow, over whole messages, and as near to the letter of the RFCs as can be.

const (
	plainToken = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	plainText  = `[^\x00-\x08\x0a-\x1f\x7f]*`
	plainSpace = `[ \t]*`
)

var (
	plainRequestLine = regexp.MustCompile(`^(` + plainToken + `) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])$`)
	plainStatusLine  = regexp.MustCompile(`^HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: (` + plainText + `))?$`)
	plainField       = regexp.MustCompile(`^(` + plainToken + `):(` + plainText + `)$`)
	plainLooseField  = regexp.MustCompile(`^(` + plainToken + `)` + plainSpace + `:(` + plainText + `)$`)
	plainHost        = regexp.MustCompile(`^(?:\[([0-9A-Fa-f:.]+)\]|\[[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[89A-Fa-f][0-9A-Fa-f])+)(?::([0-9]*))?$`)
	plainNumber      = regexp.MustCompile(`^[0-9]+$`)
	plainChunkLine   = regexp.MustCompile(`^([0-9A-Fa-f]{1,16})(?:` + plainSpace + `;` + plainSpace + plainToken +
		`(?:` + plainSpace + `=` + plainSpace + `(?:` + plainToken + `|"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"))?)*$`)
)

// A plainHead is a head as text: what is the same in both kinds of message.
type plainHead struct {
	start  []string // parts of the start line
	lines  string   // "name=value;" of each field line, names in lower case
	length int64
	chunks bool
	bytes  int
}

type plainLine struct{ name, value string }

// plainSection splits the field lines of a section that ends without its last CRLF.
func plainSection(lines []string, form *regexp.Regexp, lim Limits) (fields []plainLine, ok bool) {
	for _, line := range lines {
		m := form.FindStringSubmatch(line)
		if m == nil {
			return nil, false
		}
		value := strings.Trim(m[2], " \t")
		if len(m[1]) > lim.FieldBytes || len(value) > lim.FieldBytes {
			return nil, false
		}
		fields = append(fields, plainLine{strings.ToLower(m[1]), value})
	}
	return fields, len(fields) <= lim.Fields
}

func plainLines(fields []plainLine) (text string) {
	for _, l := range fields {
		text += fmt.Sprintf("%s=%s;", l.name, l.value)
	}
	return text
}

func valuesOf(fields []plainLine, name string) (values []string) {
	for _, l := range fields {
		if l.name == name {
			values = append(values, l.value)
		}
	}
	return values
}

// plainRequest parses a request. whole is false if there is no end of a head in it.
func plainRequest(in string, lim Limits) (head plainHead, whole, ok bool) {
	skipped := 0
	for skipped < emptyLinesMax && strings.HasPrefix(in[2*skipped:], "\r\n") {
		skipped++
	}
	text, _, whole := strings.Cut(in[2*skipped:], "\r\n\r\n")
	if head.bytes = 2*skipped + len(text) + 4; !whole || head.bytes > lim.HeadBytes {
		return head, whole, false
	}
	lines := strings.Split(text, "\r\n")
	m := plainRequestLine.FindStringSubmatch(lines[0])
	if m == nil || len(m[1]) > methodBytesMax || len(m[2]) > lim.TargetBytes {
		return head, true, false
	}
	head.start = m[1:]
	fields, ok := plainSection(lines[1:], plainField, lim)
	head.lines = plainLines(fields)
	hosts := valuesOf(fields, "host")
	ok = ok && len(hosts) < 2 && (m[3] == "0" || len(hosts) == 1)
	for _, host := range hosts {
		ok = ok && plainIsHost(host)
	}
	lengths, codings := valuesOf(fields, "content-length"), valuesOf(fields, "transfer-encoding")
	return head, true, head.framing(lengths, codings, m[3]) && len(lengths) < 2 && plainOptions(fields) && ok
}

// plainOptions reports whether there are not too many options in Connection.
func plainOptions(fields []plainLine) bool {
	n := 0
	for _, option := range strings.Split(strings.Join(valuesOf(fields, "connection"), ","), ",") {
		if strings.Trim(option, " \t") != "" {
			n++
		}
	}
	return n <= optionsMax
}

func plainIsHost(host string) bool {
	m := plainHost.FindStringSubmatch(host)
	if m == nil {
		return false
	}
	if m[1] != "" {
		if a, err := netip.ParseAddr(m[1]); err != nil || !a.Is6() {
			return false
		}
	}
	port, err := strconv.ParseUint("0"+m[2], 10, 64)
	return err == nil && port <= 65535
}

func (h *plainHead) framing(lengths, codings []string, minor string) bool {
	h.length = -1
	for i, value := range lengths {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || !plainNumber.MatchString(value) || i > 0 && n != h.length {
			return false
		}
		h.length = n
	}
	h.chunks = len(codings) == 1 && exchange.EqualFold(codings[0], "chunked")
	return len(codings) == 0 || h.chunks && minor != "0" && len(lengths) == 0
}

// plainResponse parses a response.
func plainResponse(in string, lim Limits) (head plainHead, whole, ok bool) {
	text, _, whole := strings.Cut(in, "\r\n\r\n")
	if head.bytes = len(text) + 4; !whole || head.bytes > lim.HeadBytes {
		return head, whole, false
	}
	start, rest, _ := strings.Cut(text, "\r\n")
	m := plainStatusLine.FindStringSubmatch(start)
	if m == nil || strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "\t") {
		return head, true, false
	}
	head.start = m[1:]
	var lines []string
	if len(start) < len(text) {
		rest = strings.NewReplacer("\r\n ", "   ", "\r\n\t", "  \t").Replace(rest)
		lines = strings.Split(rest, "\r\n")
	}
	fields, ok := plainSection(lines, plainLooseField, lim)
	head.lines = plainLines(fields)
	var lengths []string
	for _, value := range valuesOf(fields, "content-length") {
		for _, item := range strings.Split(value, ",") {
			lengths = append(lengths, strings.Trim(item, " \t"))
		}
	}
	return head, true, head.framing(lengths, valuesOf(fields, "transfer-encoding"), m[1]) && ok && plainOptions(fields)
}

// plainChunks decodes a chunked body. whole is false if more input could make it valid.
func plainChunks(in string, lim Limits) (content, trailers string, n int, whole, ok bool) {
	rest := in
	for {
		line, after, found := strings.Cut(rest, "\r\n")
		if !found {
			return "", "", 0, false, false
		}
		m := plainChunkLine.FindStringSubmatch(line)
		if m == nil {
			return "", "", 0, true, false
		}
		size, err := strconv.ParseInt(m[1], 16, 64)
		if err != nil {
			return "", "", 0, true, false
		}
		if rest = after; size == 0 {
			break
		}
		if int64(len(rest)) < size {
			return "", "", 0, false, false
		}
		content, rest = content+rest[:size], rest[size:]
		if len(rest) < 2 {
			return "", "", 0, false, false
		}
		if rest[:2] != "\r\n" {
			return "", "", 0, true, false
		}
		rest = rest[2:]
	}
	if strings.HasPrefix(rest, "\r\n") {
		return content, "", len(in) - len(rest) + 2, true, true
	}
	text, after, found := strings.Cut(rest, "\r\n\r\n")
	if !found {
		return "", "", 0, false, false
	}
	fields, ok := plainSection(strings.Split(text, "\r\n"), plainField, lim)
	if !ok || len(text)+4 > lim.TrailerBytes {
		return "", "", 0, true, false
	}
	var kept []plainLine
	for _, l := range fields {
		switch l.name {
		case "content-length", "transfer-encoding", "host":
			return "", "", 0, true, false
		}
		if !noTrailer[exchange.LookupName([]byte(l.name))] {
			kept = append(kept, l)
		}
	}
	return content, plainLines(kept), len(in) - len(after), true, true
}
