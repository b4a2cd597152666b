package demo

import (
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// contentMax is how much of a request's content the mirror shows.
const contentMax = 4 << 10

// hello is one of two equal origins.
func hello(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "hello from origin %s\n", name)
	}
}

func slow(w http.ResponseWriter, q *http.Request) {
	select {
	case <-time.After(slowTime):
		fmt.Fprintf(w, "that took %v\n", slowTime)
	case <-q.Context().Done(): // Sluice has closed the connection, since the client has gone
	}
}

// mirror shows what an origin gets.
func mirror(w http.ResponseWriter, q *http.Request) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\nHost: %s\n", q.Method, q.RequestURI, q.Proto, q.Host)
	for _, name := range slices.Sorted(maps.Keys(q.Header)) {
		for _, value := range q.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	content, _ := io.ReadAll(io.LimitReader(q.Body, contentMax))
	fmt.Fprintf(&b, "\n%s", content)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, b.String())
}

// pages is the origin of the front page and of the config.
func (o *Origins) pages(w http.ResponseWriter, q *http.Request) {
	switch q.URL.Path {
	case "/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, frontPage, html.EscapeString(*o.config.Load()))
	case "/config":
		_, _ = io.WriteString(w, *o.config.Load())
	default:
		http.NotFound(w, q)
	}
}

const frontPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice demo</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem } pre { background: #8882; padding: 1rem; overflow: auto }</style>
<h1>Sluice works</h1>
<p>This page came from an origin behind the proxy. So do these:
<ul>
<li><a href="/hello">/hello</a>: two origins take turns; reload the page
<li><a href="/mirror?a=b">/mirror</a>: what an origin gets to see of your request
<li><a href="/slow">/slow</a>: an origin that takes two seconds
</ul>
<h2>WebSocket</h2>
<form><input aria-label="message" value="hello"> <button>send</button></form>
<pre id="log"></pre>
<h2>The config behind all this</h2>
<pre>%s</pre>
<script>
const log = text => document.getElementById("log").textContent += text + "\n"
const socket = new WebSocket("ws://" + location.host + "/websocket")
socket.onopen = () => log("connected")
socket.onclose = () => log("closed")
socket.onmessage = event => log("echo: " + event.data)
document.querySelector("form").onsubmit = event => {
  event.preventDefault()
  socket.send(document.querySelector("input").value)
}
</script>
</html>
`
