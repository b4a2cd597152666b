//go:build linux

package main

import "fmt"

// A kind says how a workload is driven and what its value is.
type kind int

const (
	requests kind = iota // wrk; CPU microseconds per request
	messages             // the WebSocket load; CPU microseconds per message
	idle                 // quiet connections; KiB of RSS per connection
)

// A workload is one row of the benchmark: what clients do.
type workload struct {
	name        string
	title       string
	kind        kind
	script      string // wrk's Lua file in peers/, or empty
	header      string // a field line that each request carries, or empty
	connections int
	workers     int     // workers or loops of each proxy
	content     int     // bytes of the larger of both contents: what the peers' buffers are chosen by
	ratioMax    float64 // what Sluice must reach: value relative to nginx's; 0 if nothing is asked
	valueMax    float64 // what Sluice must reach: the value itself; 0 if nothing is asked
}

// allWorkloads lists what is measured, in the order of the report. The bounds are those of the project's goals.
func allWorkloads() []workload {
	return []workload{
		{name: "1k", title: "1 KiB, 64 connections", content: 1 << 10, connections: 64, workers: 1, ratioMax: 0.92},
		{name: "1k-1000", title: "1 KiB, 1,000 connections", content: 1 << 10, connections: 1000, workers: 1, ratioMax: 0.85},
		{name: "16k", title: "16 KiB, 64 connections", content: 16 << 10, connections: 64, workers: 1},
		{name: "128k", title: "128 KiB, 64 connections", content: 128 << 10, connections: 64, workers: 1, ratioMax: 0.85},
		{name: "10m", title: "10 MiB, 8 connections", content: 10 << 20, connections: 8, workers: 1, ratioMax: 0.60},
		{name: "upload", title: "upload of 1 MiB, 16 connections", content: 1 << 20, script: "upload.lua", connections: 16, workers: 1},
		{name: "websocket", title: "WebSocket echo of 64 to 125 bytes, 64 connections", kind: messages, connections: 64, workers: 1, ratioMax: 1},
		{name: "close", title: "1 KiB, a connection for each request, 64 at a time", content: 1 << 10, header: "Connection: close", connections: 64, workers: 1},
		{name: "idle", title: "memory of an idle connection after one request", kind: idle, content: 1 << 10, workers: 1, valueMax: 0.6},
		{name: "two-1k", title: "two workers, cores shared with the load, 1 KiB, 64 connections", content: 1 << 10, connections: 64, workers: 2, ratioMax: 1},
		{name: "two-1k-1000", title: "two workers, cores shared with the load, 1 KiB, 1,000 connections", content: 1 << 10, connections: 1000, workers: 2, ratioMax: 1},
	}
}

// path is the request target: the origin answers "/N" with N bytes, and echoes at "/echo" (as it would anywhere).
func (w workload) path() string {
	if w.kind == messages {
		return "/echo"
	}
	return fmt.Sprintf("/%d", w.content)
}

// onTwo is the same workload for proxies with two workers. The bounds are for one core and don't hold there.
func (w workload) onTwo() workload {
	if w.workers > 1 {
		return w
	}
	w.name, w.title, w.workers, w.ratioMax = "two-"+w.name, "two workers, cores shared with the load, "+w.title, 2, 0
	return w
}

// unit names the value of the workload.
func (w workload) unit() string {
	switch w.kind {
	case messages:
		return "CPU µs/message"
	case idle:
		return "KiB/connection"
	}
	return "CPU µs/request"
}

// verdict says whether Sluice reached what it must reach, in one line; empty if nothing is asked or it wasn't measured.
func (w workload) verdict(value, ratio float64) string {
	switch {
	case w.ratioMax > 0 && ratio != 0:
		return judge("× nginx", ratio, w.ratioMax)
	case w.valueMax > 0 && value != 0:
		return judge(w.unit(), value, w.valueMax)
	}
	return ""
}

// observedMax is how much more than without them a request may cost with access log, metrics and admin server.
const observedMax = 1.10

// observedVerdict says whether what observes costs no more than it may.
func (workload) observedVerdict(ratio float64) string { return judge("× sluice", ratio, observedMax) }

func judge(what string, got, most float64) string {
	word := "met"
	if got > most {
		word = "MISSED"
	}
	return fmt.Sprintf("goal: %s ≤ %.2f: %s (%.2f)", what, most, word, got)
}
