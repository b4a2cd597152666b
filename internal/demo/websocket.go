package demo

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
)

// messageMax is the largest frame that is echoed, in bytes.
const messageMax = 64 << 10

// keySuffix is what RFC 6455, section 1.3 appends to a client's key.
const keySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// chat is a WebSocket that sends each message back (RFC 6455).
func chat(w http.ResponseWriter, q *http.Request) {
	key := q.Header.Get("Sec-WebSocket-Key")
	if q.Header.Get("Upgrade") != "websocket" || key == "" {
		http.Error(w, "this is a WebSocket: open the page in front of it", http.StatusUpgradeRequired)
		return
	}
	conn, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + keySuffix)) // as the protocol wants it; it protects nothing
	_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	for stream.Flush() == nil {
		if echoFrame(stream) != nil {
			_ = stream.Flush()
			return
		}
	}
}

// Opcodes of frames (RFC 6455, section 5.2).
const (
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

var errClosed = errors.New("the client has closed")

// echoFrame reads one frame and writes what answers it.
func echoFrame(stream *bufio.ReadWriter) error {
	first, content, err := readFrame(stream.Reader)
	if err != nil {
		return err
	}
	switch first & 0x0f {
	case opClose:
		writeFrame(stream.Writer, first, content)
		return errClosed
	case opPing:
		first = first&^0x0f | opPong
	case opPong:
		return nil
	}
	writeFrame(stream.Writer, first, content)
	return nil
}

// readFrame returns a frame's first byte and its content, unmasked.
func readFrame(r *bufio.Reader) (first byte, content []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	first = head[0]
	n := uint64(head[1] & 0x7f)
	if head[1]&0x80 == 0 {
		return 0, nil, errors.New("a client's frame is masked (RFC 6455, section 5.1)")
	}
	switch n {
	case 126:
		_, err = io.ReadFull(r, head[:2])
		n = uint64(binary.BigEndian.Uint16(head[:]))
	case 127:
		_, err = io.ReadFull(r, head[:8])
		n = binary.BigEndian.Uint64(head[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > messageMax {
		return 0, nil, errors.New("the frame is too large")
	}
	masked := make([]byte, 4+n)
	if _, err := io.ReadFull(r, masked); err != nil {
		return 0, nil, err
	}
	content = masked[4:]
	for i := range content {
		content[i] ^= masked[i&3]
	}
	return first, content, nil
}

// writeFrame writes a frame without a mask. Errors show at the next Flush.
func writeFrame(w *bufio.Writer, first byte, content []byte) {
	head := []byte{first}
	switch n := len(content); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	_, _ = w.Write(head)
	_, _ = w.Write(content)
}
