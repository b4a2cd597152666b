//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// websocketCommand is the first argument of the process that is the WebSocket load.
const websocketCommand = "websocket"

// Sizes of the messages: every length in turn, all in the short form of a frame (RFC 6455, section 5.2).
const (
	messageMin = 64
	messageMax = 125
)

// An echoLoad is a number of WebSocket connections, each with one message under way: sent, echoed, compared, the next one sent.
type echoLoad struct {
	poller  *poller
	frames  [][]byte // masked, one for each size
	echoes  [][]byte // what must come back for each
	running int      // connections upgraded
	times   []time.Duration
	faults  int64
}

// runWebsocket drives an address and prints a load as JSON.
func runWebsocket(args []string) error {
	flags := flag.NewFlagSet(websocketCommand, flag.ContinueOnError)
	address := flags.String("address", "", "`host:port` of the proxy")
	path := flags.String("path", "/", "request target")
	connections := flags.Int("connections", 64, "connections at a time")
	duration := flags.Duration("duration", time.Second, "length of the run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := driveEchoes(*address, *path, *connections, *duration)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// driveEchoes opens the connections and exchanges messages for the duration.
func driveEchoes(address, path string, connections int, duration time.Duration) (load, error) {
	p, err := newPoller()
	if err != nil {
		return load{}, err
	}
	l := newEchoLoad(p)
	begin := time.Now()
	for i := range connections {
		if err := l.open(address, path, i); err != nil {
			return load{}, err
		}
	}
	end := begin.Add(duration)
	var failure error
	for now := begin; now.Before(end) && l.faults < int64(connections); now = time.Now() {
		err := p.turn(end.Sub(now), func(err error) {
			l.faults++
			failure = err
		})
		if err != nil {
			return load{}, err
		}
	}
	if len(l.times) == 0 {
		return load{}, fmt.Errorf("no message came back: %w", errors.Join(failure, fmt.Errorf("%d of %d connections were upgraded", l.running, connections)))
	}
	slices.Sort(l.times)
	return load{
		Requests: int64(len(l.times)),
		Elapsed:  time.Since(begin),
		P50:      percentile(l.times, 50),
		P99:      percentile(l.times, 99),
		Faults:   l.faults,
	}, nil
}

// newEchoLoad makes the messages.
func newEchoLoad(p *poller) *echoLoad {
	l := &echoLoad{poller: p, times: make([]time.Duration, 0, 1<<20)}
	for size := messageMin; size <= messageMax; size++ {
		payload := bytes.Repeat([]byte{'a' + byte(size%26)}, size)
		l.frames = append(l.frames, maskedFrame(payload))
		l.echoes = append(l.echoes, append([]byte{0x82, byte(size)}, payload...))
	}
	return l
}

// maskedFrame is a binary message as a client sends it, with an arbitrary masking key.
func maskedFrame(payload []byte) []byte {
	mask := []byte{0x37, 0xfa, 0x21, 0x3d}
	frame := append([]byte{0x82, 0x80 | byte(len(payload))}, mask...)
	for i, v := range payload {
		frame = append(frame, v^mask[i&3])
	}
	return frame
}

// parseFrame returns the masked payload of a client's frame and the size of the whole frame; 0 if more bytes are needed.
func parseFrame(b []byte) ([]byte, int, error) {
	if len(b) < 2 {
		return nil, 0, nil
	}
	if b[1]&0x80 == 0 || b[1]&0x7f > messageMax {
		return nil, 0, fmt.Errorf("frame with length byte %#x: want a masked one of up to %d bytes", b[1], messageMax)
	}
	size := 6 + int(b[1]&0x7f)
	if len(b) < size {
		return nil, 0, nil
	}
	return b[6:size], size, nil
}

// open connects and asks for the upgrade; the answer is awaited with all others.
func (l *echoLoad) open(address, path string, number int) error {
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		return err
	}
	defer file.Close()
	fd, err := duplicate(file)
	if err != nil {
		return err
	}
	c := &echoConn{socket: socket{fd: fd}, load: l, next: number % len(l.frames)}
	c.out = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, address)
	if err := l.poller.add(fd, c); err != nil {
		return err
	}
	_, err = c.flush(l.poller)
	return err
}

// An echoConn is one connection of the load.
type echoConn struct {
	socket
	load     *echoLoad
	held     []byte // an unfinished head or frame
	upgraded bool
	next     int // which message is under way
	sent     time.Time
}

func (c *echoConn) ready(p *poller) error {
	if done, err := c.flush(p); err != nil || !done {
		return err
	}
	b, err := c.read(p)
	if err != nil || b == nil {
		return err
	}
	if err := takeAll(&c.held, b, c.take); err != nil {
		return err
	}
	_, err = c.flush(p)
	return err
}

// take reads the answer to the upgrade or an echo, and sends the next message.
func (c *echoConn) take(b []byte) (int, error) {
	if !c.upgraded {
		return c.takeHead(b)
	}
	want := c.load.echoes[c.next]
	if len(b) < len(want) {
		return 0, nil
	}
	if !bytes.Equal(b[:len(want)], want) {
		return 0, fmt.Errorf("an echo differs: %q", b[:len(want)])
	}
	now := time.Now()
	c.load.times = append(c.load.times, now.Sub(c.sent))
	c.next = (c.next + 1) % len(c.load.frames)
	c.send(now)
	return len(want), nil
}

func (c *echoConn) takeHead(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(b, []byte("\r\n"))
		return 0, fmt.Errorf("the upgrade was answered %q", line)
	}
	c.upgraded = true
	c.load.running++
	c.send(time.Now())
	return end + 4, nil
}

func (c *echoConn) send(now time.Time) {
	c.out, c.sent = c.load.frames[c.next], now
}
