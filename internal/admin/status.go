package admin

import "time"

// Status is what GET /v1/status answers. It holds no secret: addresses and names of the config, and numbers.
type Status struct {
	Version       string     `json:"version"`
	PID           int        `json:"pid"`
	Started       time.Time  `json:"started"`
	UptimeSeconds float64    `json:"uptime_seconds"`
	Generation    uint64     `json:"generation"`       // of the snapshot in use, from 1
	Applied       time.Time  `json:"applied"`          // when that snapshot came into use
	Config        string     `json:"config,omitempty"` // path of the config file
	Draining      bool       `json:"draining"`         // the process is about to end
	Sites         int        `json:"sites"`
	Listeners     []Listener `json:"listeners"`
	Loops         []Loop     `json:"loops"`
	Pools         []Pool     `json:"pools"`
}

// Reload is what POST /v1/reload answers: with status 200 if the config is in force, 422 if it is refused and nothing has changed.
type Reload struct {
	Generation uint64 `json:"generation"`         // of the snapshot in use
	Error      string `json:"error,omitempty"`    // why the config is refused; "" if it is in force
	Messages   string `json:"messages,omitempty"` // all that is wrong with the file, with source lines and carets
}

// A Listener is an address that clients connect to.
type Listener struct {
	Address string `json:"address"`
	TLS     bool   `json:"tls"`
}

// A Loop is one driver.
type Loop struct {
	ID          int   `json:"id"`
	Connections int64 `json:"connections"` // of clients, quiet ones too
	Tasks       int64 `json:"tasks"`       // at work: exchanges and what belongs to them; plain goroutines are not counted
}

// A Pool is a named set of endpoints.
type Pool struct {
	Name      string     `json:"name"`
	Endpoints []Endpoint `json:"endpoints"`
}

// An Endpoint is one address of a pool.
type Endpoint struct {
	Address     string `json:"address"`
	State       string `json:"state"`            // "up", "down" or "draining"
	Reason      string `json:"reason,omitempty"` // why it is not up
	Weight      int    `json:"weight"`
	Connections int64  `json:"connections"` // open ones
	Idle        int64  `json:"idle"`        // of these, how many wait for a request
	Active      int64  `json:"active"`      // exchanges that run
	Requests    int64  `json:"requests"`    // since the process began
	Failures    int64  `json:"failures"`    // of these, how many failed
}
