package admin

import "time"

// An Outcome is what came of a config: of a check, a reload, a change. Its HTTP status is 200 if the config is fit for use, and in force if that was asked for.
type Outcome struct {
	// Generation is the number of the snapshot in force.
	Generation uint64 `json:"generation"`
	// ETag is the version of the config in force, for If-Match.
	ETag string `json:"etag,omitempty"`
	// Until is when a trial ends: the config before it comes back then, unless somebody confirms.
	Until *time.Time `json:"until,omitempty"`
	// Note is what else is worth knowing, such as what the file on disk holds.
	Note string `json:"note,omitempty"`
	// Error is why nothing has changed; empty if it was done.
	Error string `json:"error,omitempty"`
	// Unsaved says that it can be done without saving: nothing else is against it so far.
	Unsaved bool `json:"unsaved,omitempty"`
	// Messages is all that is wrong with a config, for people: with source lines and carets.
	Messages string `json:"messages,omitempty"`
	// Diagnostics is the same as data, warnings too.
	Diagnostics []Diagnostic `json:"diagnostics"`

	// Status is the HTTP status; 0 is 200.
	Status int `json:"-"`
}

// A Diagnostic is one thing that is wrong with a config.
type Diagnostic struct {
	// Severity is "error" or "warning".
	Severity string `json:"severity"`
	// Code is its kind, such as "unknown-key".
	Code string `json:"code"`
	// File is where it is.
	File string `json:"file,omitempty"`
	// Line counts from 1; 0 is no place.
	Line int `json:"line,omitempty"`
	// Column counts characters from 1.
	Column int `json:"column,omitempty"`
	// Text says what is wrong.
	Text string `json:"text"`
	// Suggestion says what may be meant.
	Suggestion string `json:"suggestion,omitempty"`
}

// A Difference is what a config would change, and what it would touch.
type Difference struct {
	// Changes are the settings that differ, those that sites and routes inherit too.
	Changes []Change `json:"changes"`
	// Opens are the addresses that would be listened on.
	Opens []string `json:"opens"`
	// Closes are the listeners that would close. Connections of theirs go on until they end.
	Closes []Listener `json:"closes"`
	// Retires are the servers that would be gone: idle connections to them are closed, exchanges go on to their end.
	Retires []Endpoint `json:"retires"`
	// Connections is how many clients are connected. None of these connections is closed.
	Connections int64 `json:"connections"`
	// Outcome is what is to be said of the config itself.
	Outcome Outcome `json:"outcome"`
}

// A Change is one setting that differs.
type Change struct {
	// Path leads to it: keys, and what items of lists are known by.
	Path []string `json:"path"`
	// Old is what is in force; empty if there is nothing. Secrets are not shown.
	Old string `json:"old,omitempty"`
	// New is what would be; empty if it would be gone.
	New string `json:"new,omitempty"`
	// At is the place in the file.
	At string `json:"at,omitempty"`
	// Text is all of it in one line.
	Text string `json:"text"`
}

// An Application is a config that somebody wants to have in force.
type Application struct {
	// Name is what messages call it.
	Name string
	// Text is YAML or JSON. Relative paths in it begin at the folder of the config file that the process was started with.
	Text []byte
	// For makes it a trial of that length: if nobody confirms, the config before comes back. 0 is no trial.
	For time.Duration
	// Save has it written to the config file when it is final.
	Save bool
	// IfMatch is the ETag that the config in force must have; empty is any.
	IfMatch string
}

// A Rotation is an operator's word on a server.
type Rotation struct {
	// Draining takes it out: exchanges that run go on, no new ones come.
	Draining *bool `json:"draining,omitempty"`
	// Weight is its share, from 1 to 1000; 0 is what the config says.
	Weight *int `json:"weight,omitempty"`
}

// ConfigInForce is the config that the process follows.
type ConfigInForce struct {
	// ETag is its version.
	ETag string
	// JSON and YAML write it as it was read, or with what sites and routes inherit if merged. They show no secrets.
	JSON, YAML func(merged bool) []byte
}
