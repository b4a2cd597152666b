// Package demo is small origins for a first look at Sluice: two equal ones, a slow one, one that shows what an origin gets, one that speaks WebSocket.
//
// They are ordinary servers on loopback, inside the process of "sluice demo" and yet connected to the proxy by nothing but sockets. Config says how
// Sluice is put in front of them; Guide says what to try. Here net/http is right: nothing of it is on the data path, and an origin that is not ours shows more.
package demo

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// slowTime is how long the slow origin takes.
const slowTime = 2 * time.Second

// headTimeout bounds how long an origin waits for a head. Only Sluice is there to send one.
const headTimeout = 10 * time.Second

// Origins are the running origins.
type Origins struct {
	servers   []*http.Server
	addresses map[string]string // by name
	config    atomic.Pointer[string]
}

// Start starts the origins on free ports of 127.0.0.1.
func Start() (*Origins, error) {
	o := &Origins{addresses: map[string]string{}}
	for name, handler := range map[string]http.HandlerFunc{
		"one": hello("one"), "two": hello("two"), "slow": slow, "mirror": mirror, "websocket": chat, "pages": o.pages,
	} {
		if err := o.start(name, handler); err != nil {
			o.Close()
			return nil, err
		}
	}
	return o, nil
}

func (o *Origins) start(name string, handler http.Handler) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("demo: no port for the origin %q: %w", name, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headTimeout}
	o.servers = append(o.servers, server)
	o.addresses[name] = ln.Addr().String()
	go server.Serve(ln) // ends with Close
	return nil
}

// Close ends the origins.
func (o *Origins) Close() error {
	var err error
	for _, s := range o.servers {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Config is a config that puts Sluice in front of the origins, on that port of localhost. The front page shows the last one.
func (o *Origins) Config(port int) string {
	a := o.addresses
	text := fmt.Sprintf(config, a["one"], a["two"], port, a["pages"], a["slow"], a["mirror"], a["websocket"], port, loopback())
	o.config.Store(&text)
	return text
}

// config has the verbs for Config, in its order.
const config = `pools:
  pair:
    servers: [%s, %s]
sites:
  http://:%d:
    to: %s # this page
    routes:
      - match: /hello
        to: pair # the two take turns
      - match: /slow
        to: %s
      - match: /mirror*
        to: %s
      - match: /websocket
        to: %s
listeners:
  %d: { addresses: [%s] }
log: { level: warn, access: off }
admin: off
`

// loopback is the addresses of localhost on this machine.
func loopback() string {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil { // no IPv6 here
		return "127.0.0.1"
	}
	_ = ln.Close()
	return `127.0.0.1, "::1"`
}

// Guide says in plain words what to try.
func Guide(port int) string {
	return strings.ReplaceAll(guide, "{}", fmt.Sprintf("http://localhost:%d", port))
}

const guide = `Sluice runs in front of small origins of its own. Open this in a browser:

  {}/

Or try in another terminal:

  curl {}/hello          two origins take turns: repeat it
  curl -i {}/mirror      what an origin gets to see of your request
  curl {}/slow           an origin that takes two seconds; the others don't wait for it
  curl --path-as-is {}/x/../hello
                                          paths are put in order before they are matched
  curl {}/config         the config behind all this

Ctrl-C ends it.
`
