package wire

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// parseText turns a section of a transcript into bytes. Each line ends with CRLF on the wire; a backslash at the end of a line takes that away. In braces stand
// what can't be written or seen: {CR} {LF} {NUL} {SP} {TAB}, {7B} (any byte in hex), {16384 x a} (a text, so many times).
func parseText(text string) ([]byte, error) {
	var b []byte
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		line, joined := strings.CutSuffix(line, `\`)
		piece, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		b = append(b, piece...)
		if ended && !joined {
			b = append(b, "\r\n"...)
		}
	}
	return b, nil
}

// parseLine reads a line without its end, or the text of a repetition.
func parseLine(line string) (b []byte, err error) {
	for line != "" {
		before, rest, found := strings.Cut(line, "{")
		b = append(b, before...)
		if !found {
			break
		}
		end := braceEnd(rest)
		if end < 0 {
			return nil, fmt.Errorf("no } for {%s", rest)
		}
		piece, err := parseEscape(rest[:end])
		if err != nil {
			return nil, err
		}
		b, line = append(b, piece...), rest[end+1:]
	}
	return b, nil
}

// braceEnd is the index of the brace that closes one before s.
func braceEnd(s string) int {
	depth := 1
	for i, c := range s {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// escapes are the names of bytes.
var escapes = map[string]string{"CR": "\r", "LF": "\n", "NUL": "\x00", "SP": " ", "TAB": "\t", "date": dateMark, "hop fields": hopMark}

func parseEscape(inside string) ([]byte, error) {
	if s, ok := escapes[inside]; ok {
		return []byte(s), nil
	}
	if count, text, ok := strings.Cut(inside, " x "); ok {
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 || n > 64<<20 {
			return nil, fmt.Errorf("{%s}: how many times?", inside)
		}
		piece, err := parseLine(text)
		return bytes.Repeat(piece, n), err
	}
	if c, err := strconv.ParseUint(inside, 16, 8); err == nil && len(inside) == 2 {
		return []byte{byte(c)}, nil
	}
	return nil, fmt.Errorf("{%s} is not known", inside)
}

// runMin is how many equal bytes are written as a repetition.
const runMin = 64

// formatText is the reverse of parseText.
func formatText(b []byte) string {
	var text strings.Builder
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\r\n"))
		b = rest
		for i := 0; i < len(line); {
			n := runOf(line[i:])
			formatByte(&text, line, i, n)
			i += n
		}
		if !ended {
			text.WriteByte('\\')
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// runOf is how many equal bytes b begins with, if they are worth a repetition, else 1.
func runOf(b []byte) int {
	n := 1
	for n < len(b) && b[n] == b[0] {
		n++
	}
	if n < runMin || b[0] <= ' ' || b[0] > '~' || b[0] == '}' {
		return 1
	}
	return n
}

func formatByte(text *strings.Builder, line []byte, i, n int) {
	c := line[i]
	first, last := i == 0, i+n == len(line)
	switch {
	case n > 1:
		fmt.Fprintf(text, "{%d x %c}", n, c)
	case c == '\r':
		text.WriteString("{CR}")
	case c == '\n':
		text.WriteString("{LF}")
	case c == 0:
		text.WriteString("{NUL}")
	case c == ' ' && last:
		text.WriteString("{SP}")
	case c == '\t':
		text.WriteString("{TAB}")
	case c == '{' && (bytes.HasPrefix(line[i:], []byte(dateMark)) || bytes.HasPrefix(line[i:], []byte(hopMark))):
		text.WriteByte(c)
	case c < ' ' || c > '~' || c == '{' || c == '\\' && last || c == '-' && first:
		fmt.Fprintf(text, "{%02X}", c)
	default:
		text.WriteByte(c)
	}
}

// dateMark stands for a Date of now.
const dateMark = "{date}"

var dateLine = regexp.MustCompile(`\r\nDate: ([^\r\n]*)\r\n`)

// maskDate replaces a Date of now by a mark: it says nothing about the proxy but that there is one.
func maskDate(head []byte) []byte {
	at := dateLine.FindSubmatchIndex(head)
	if at == nil {
		return head
	}
	date, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", string(head[at[2]:at[3]]))
	if err != nil || time.Since(date).Abs() > time.Hour {
		return head
	}
	return bytes.Join([][]byte{head[:at[2]], head[at[3]:]}, []byte(dateMark))
}

// hopMark stands for the fields that every origin is told of the hop before it. forward-hop-fields.txtar has them in full.
const hopMark = "{hop fields}"

var hostLine = regexp.MustCompile(`\r\nHost: ([^\r\n]*)\r\n`)

// maskHop replaces those fields by the mark, if they are exactly what they must be for a client on loopback that asks for the Host in head.
func maskHop(head []byte) []byte {
	host := hostLine.FindSubmatch(head)
	if host == nil {
		return head
	}
	lines := fmt.Sprintf("\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: %s\r\n"+
		"Forwarded: for=127.0.0.1;proto=http;host=%[1]s\r\nVia: 1.1 sluice\r\n", host[1])
	return bytes.Replace(head, []byte(lines), []byte("\r\n"+hopMark+"\r\n"), 1)
}

func TestTextAndBytesAreEachOthersReverse(t *testing.T) {
	for text, want := range map[string]string{
		"GET / HTTP/1.1\n\n":         "GET / HTTP/1.1\r\n\r\n",
		"hello\\\n":                  "hello",
		"a{CR}b{LF}{NUL}{SP}\n":      "a\rb\n\x00 \r\n",
		"{64 x a}{7B}{7F}{5C}\n":     strings.Repeat("a", 64) + "{\x7f\\\r\n",
		"{2D}- client > --\n":        "-- client > --\r\n",
		"Date: {date}\n":             "Date: {date}\r\n",
		"{TAB}folded {C3}{A4}{SP}\n": "\tfolded \xc3\xa4 \r\n",
		"":                           "",
	} {
		if got, err := parseText(text); err != nil || string(got) != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
		if got := formatText([]byte(want)); got != text {
			t.Errorf("%q is written as %q, want %q", want, got, text)
		}
	}
}

func TestRepetitionsHoldEscapes(t *testing.T) {
	if got, err := parseText(`{2 x a{3 x b}{CR}{LF}}\` + "\n"); err != nil || string(got) != "abbb\r\nabbb\r\n" {
		t.Errorf("it is %q (%v)", got, err)
	}
}

func TestFaultyTextIsAnError(t *testing.T) {
	for _, text := range []string{"{", "{a", "{xyz}", "{-1 x a}", "{99999999999 x a}", "{1FF}"} {
		if got, err := parseText(text + "\n"); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// diff shows where two texts differ, line by line: "-" is missing, "+" was not expected.
func diff(want, got string) string {
	a, b := strings.Split(strings.TrimSuffix(want, "\n"), "\n"), strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	// same[i][j] is the length of the longest common sequence of a[i:] and b[j:].
	same := make([][]int, len(a)+1)
	for i := range same {
		same[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if same[i][j] = max(same[i+1][j], same[i][j+1]); a[i] == b[j] {
				same[i][j] = same[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	line := func(mark byte, s string) {
		if len(s) > 300 {
			s = s[:300] + "…"
		}
		fmt.Fprintf(&out, "    %c %s\n", mark, s)
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			line(' ', a[i])
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || same[i+1][j] >= same[i][j+1]):
			line('-', a[i])
			i++
		default:
			line('+', b[j])
			j++
		}
	}
	return out.String()
}
