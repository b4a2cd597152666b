package admin

import "time"

// Status is what GET /v1/status answers. It holds no secret: addresses and names of the config, and numbers.
type Status struct {
	// Version is that of the build.
	Version string `json:"version"`
	// PID is the number of the process.
	PID int `json:"pid"`
	// Started is when the process began.
	Started time.Time `json:"started"`
	// UptimeSeconds is for how long it has been running.
	UptimeSeconds float64 `json:"uptime_seconds"`
	// Generation is the number of the snapshot in force, from 1.
	Generation uint64 `json:"generation"`
	// Applied is when it came into force.
	Applied time.Time `json:"applied"`
	// Config is the path of the config file; empty if there is none.
	Config string `json:"config,omitempty"`
	// Source is where the config in force came from: "file" or "api".
	Source string `json:"source"`
	// Until is when a trial ends and the config before it comes back.
	Until *time.Time `json:"until,omitempty"`
	// Draining says that the process is about to end.
	Draining bool `json:"draining"`
	// Sites is how many there are.
	Sites int `json:"sites"`
	// Listeners are the addresses that clients connect to.
	Listeners []Listener `json:"listeners"`
	// Loops are the drivers.
	Loops []Loop `json:"loops"`
	// Pools are the sets of servers.
	Pools []Pool `json:"pools"`
}

// A Listener is an address that clients connect to.
type Listener struct {
	// Address is host and port, or a path.
	Address string `json:"address"`
	// TLS says that connections are encrypted.
	TLS bool `json:"tls"`
	// Connections is how many that were accepted there are open.
	Connections int64 `json:"connections"`
}

// Connections is what GET /v1/connections answers.
type Connections struct {
	// Total is how many there are.
	Total int `json:"total"`
	// Connections are some of them, as many as were asked for.
	Connections []Connection `json:"connections"`
}

// A Connection is one of a client.
type Connection struct {
	// Client is the address of its other end; empty over a Unix socket.
	Client string `json:"client"`
	// Listener is where it was accepted.
	Listener string `json:"listener"`
	// Loop is the driver that serves it.
	Loop int `json:"loop"`
	// State is "idle", "active" or "tunnel".
	State string `json:"state"`
	// AgeSeconds is for how long it has been open.
	AgeSeconds int64 `json:"age_seconds"`
	// Exchanges is how many it has carried, with the one under way.
	Exchanges int `json:"exchanges"`
}

// A Loop is one driver.
type Loop struct {
	// ID counts from 0.
	ID int `json:"id"`
	// Connections is how many clients it serves, quiet ones too.
	Connections int64 `json:"connections"`
	// Tasks is how many are at work: exchanges and what belongs to them. Plain goroutines are not counted.
	Tasks int64 `json:"tasks"`
}

// A Pool is a named set of servers.
type Pool struct {
	// Name is its name in the config, or the address of a pool that is written in place.
	Name string `json:"name"`
	// Endpoints are its servers.
	Endpoints []Endpoint `json:"endpoints"`
}

// An Endpoint is one server of a pool.
type Endpoint struct {
	// Pool is the name of its pool.
	Pool string `json:"pool"`
	// Address is as the config writes it.
	Address string `json:"address"`
	// State is "up" or "draining".
	State string `json:"state"`
	// Reason says why it is not up.
	Reason string `json:"reason,omitempty"`
	// Weight is its share among its likes.
	Weight int `json:"weight"`
	// WeightByConfig is what the config says; they differ where an operator has changed it.
	WeightByConfig int `json:"weight_by_config"`
	// Connections is how many are open.
	Connections int64 `json:"connections"`
	// Idle is how many of these wait for a request.
	Idle int64 `json:"idle"`
	// Active is how many exchanges run.
	Active int64 `json:"active"`
	// Requests counts since it became known.
	Requests int64 `json:"requests"`
	// Failures is how many of these failed.
	Failures int64 `json:"failures"`
}
