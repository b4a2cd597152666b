//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Before the first look at memory, so many connections have been opened, used and closed: code is paged in and pools are filled.
const idleWarmup = 200

// idleSettle is how long a proxy may tidy up before we look at its memory.
const idleSettle = 500 * time.Millisecond

// sampleIdle opens many connections that make one request each, one after the other, and then stay quiet. The value is what the proxy's memory
// grew by, per connection. The kernel's memory of sockets is no part of it.
func (b *bench) sampleIdle(ctx context.Context, w workload, p runningPeer, round int) (sample, error) {
	count := min(b.options.idle, connectionsMax(b.files)-idleWarmup)
	if err := b.idleOnce(ctx, w, p, round, idleWarmup, func() error { return nil }); err != nil {
		return sample{}, err
	}
	if err := pause(ctx, idleSettle); err != nil {
		return sample{}, err
	}
	before, err := p.child.usage()
	if err != nil {
		return sample{}, err
	}
	var after usage
	begin := time.Now()
	var elapsed time.Duration
	err = b.idleOnce(ctx, w, p, round, count, func() error {
		elapsed = time.Since(begin)
		if err := pause(ctx, idleSettle); err != nil {
			return err
		}
		after, err = p.child.usage()
		return err
	})
	if err != nil {
		return sample{}, err
	}
	return sample{
		Value: float64(after.rss-before.rss) / 1024 / float64(count),
		Rate:  float64(count) / elapsed.Seconds(),
		Busy:  (after.cpu - before.cpu).Seconds() / elapsed.Seconds(),
		RSS:   mebibytes(after.rss),
	}, nil
}

// idleOnce opens connections, uses each once, calls look while all are open, and closes them.
func (b *bench) idleOnce(ctx context.Context, w workload, p runningPeer, round, count int, look func() error) error {
	// Each round comes from an address of its own: the ports of one address don't suffice for all rounds while old connections linger.
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+round%250))}, Timeout: startTimeout}
	conns := make([]net.Conn, 0, count)
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	reader := bufio.NewReaderSize(nil, 4096)
	for i := range count {
		conn, err := dialer.DialContext(ctx, "tcp4", local(p.port))
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, count, err)
		}
		conns = append(conns, conn)
		reader.Reset(conn)
		if err := requestOnce(conn, reader, w.path()); err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, count, err)
		}
	}
	return errors.Join(look(), ctx.Err())
}

// requestOnce makes one request on a connection that stays open.
func requestOnce(conn net.Conn, reader *bufio.Reader, path string) error {
	if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: origin.example\r\n\r\n", path); err != nil {
		return err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Close {
		return fmt.Errorf("status %s, connection kept: %t", response.Status, !response.Close)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
