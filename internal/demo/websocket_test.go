package demo

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// masked is a frame as a client sends it.
func masked(first byte, content []byte) []byte {
	frame := []byte{first}
	switch n := len(content); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	frame = append(frame, 1, 2, 3, 4)
	for i, b := range content {
		frame = append(frame, b^byte(i&3+1))
	}
	return frame
}

// echoed returns what is sent back for input, and the error.
func echoed(input []byte) (string, error) {
	var out bytes.Buffer
	stream := bufio.NewReadWriter(bufio.NewReader(bytes.NewReader(input)), bufio.NewWriter(&out))
	err := echoFrame(stream)
	stream.Flush()
	return out.String(), err
}

func TestFramesOfAllLengthsAreEchoed(t *testing.T) {
	for n, head := range map[int]string{
		0: "\x81\x00", 125: "\x81\x7d", 126: "\x81\x7e\x00\x7e", 1<<16 - 1: "\x81\x7e\xff\xff", 1 << 16: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		content := strings.Repeat("x", n)
		if got, err := echoed(masked(0x81, []byte(content))); err != nil || got != head+content {
			t.Errorf("%d bytes: %.20q, %v", n, got, err)
		}
	}
}

func TestBadFramesEndTheConnection(t *testing.T) {
	for _, input := range []string{
		"", "\x81", "\x81\x05Hello", "\x81\xfe\x00", "\x81\xff\x00\x00\x00\x00\x00\x01\x00\x01....", string(masked(0x81, []byte("cut")))[:7],
	} {
		if got, err := echoed([]byte(input)); err == nil || got != "" {
			t.Errorf("%q: got %q, %v", input, got, err)
		}
	}
	if got, err := echoed(masked(0x88, nil)); err != errClosed || got != "\x88\x00" {
		t.Errorf("close: got %q, %v", got, err)
	}
	if got, err := echoed(masked(0x8a, []byte("late"))); err != nil || got != "" {
		t.Errorf("pong: got %q, %v", got, err)
	}
	if _, err := echoed(nil); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

func TestTheGuideNamesTheRightPort(t *testing.T) {
	if text := Guide(8123); strings.Contains(text, "{}") || !strings.Contains(text, "curl http://localhost:8123/hello") {
		t.Error(text)
	}
}
