package app

import (
	"slices"
	"time"

	"sluice/internal/config"
	"sluice/internal/observe/accesslog"
	"sluice/internal/observe/collector"
	"sluice/internal/observe/logfile"
)

// ReopenLogs opens the files of the logs again, after they were renamed by a program that rotates logs, and makes a new connection to a syslog server.
// A process that ends does so, too, as long as its last exchanges run: their lines belong into the new files.
func (p *Process) ReopenLogs() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reopenLogs()
}

// reopenLogs is ReopenLogs for who keeps others apart already.
func (p *Process) reopenLogs() {
	if err := p.access.Reopen(); err != nil {
		p.log.Error("the access log can't be opened again; the old file stays in use", "error", err)
	}
	if err := p.log.Reopen(); err != nil {
		p.log.Error("the file of this log can't be opened again; the old one stays in use", "error", err)
	}
}

// accessReports tell the process's own log how the access log goes.
func (p *Process) accessReports() accesslog.Reports {
	return accesslog.Reports{
		Failed: func(err error) { p.log.Error("the access log can't be written; lines may be lost", "error", err) },
		Trouble: func(err error) {
			p.log.Error("trouble with the file of the access log; no line is lost by it", "error", err)
		},
		Recovered: func(lost int) {
			p.log.Info("the access log can be written again", "lost_lines", lost)
		},
	}
}

// processLog is where the process's own log goes.
func processLog(l *config.Log) logfile.Place { return fileOf(l.File, l.Rotate) }

// fileOf is the place that a config calls "stdout", "stderr" or by its path.
func fileOf(name string, r *config.Rotation) logfile.Place {
	switch name {
	case "stdout":
		return logfile.Standard{}
	case "stderr":
		return logfile.Standard{Error: true}
	}
	d := logfile.Disk{Path: name}
	if r != nil {
		d.Rotation = logfile.Rotation{Bytes: int64(r.Size), Age: time.Duration(r.Age), Keep: r.Keep, Compress: r.Compress}
	}
	return d
}

// accessSettings translates the config of the access log; nil is none.
func accessSettings(a *config.AccessLog) accesslog.Settings {
	if a == nil {
		return accesslog.Settings{}
	}
	s := accesslog.Settings{To: fileOf(a.File, a.Rotate), HashKey: a.HashKey, Hide: a.Redact}
	switch {
	case a.Syslog != nil:
		s.To = collector.Syslog{
			Network: a.Syslog.Address.Network, Address: a.Syslog.Address.Address,
			Facility: slices.Index(collector.Facilities(), string(a.Syslog.Facility)), Tag: a.Syslog.Tag,
		}
	case a.File == "journal":
		s.To = collector.Journal{Socket: collector.JournalSocket, Tag: "sluice"}
	}
	switch a.Format {
	case "common":
		s.Format = accesslog.Common
	case "combined":
		s.Format = accesslog.Combined
	}
	switch a.Addresses {
	case "truncated":
		s.Addresses = accesslog.Truncated
	case "hashed":
		s.Addresses = accesslog.Hashed
	}
	return s
}
