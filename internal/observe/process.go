package observe

import (
	"runtime"
	"time"

	"sluice/internal/observe/metric"
)

// Process makes the metrics of the process itself in set. They are read from the system when they are asked for.
func Process(set *metric.Set, version string, started time.Time) {
	set.Info("sluice_build_info", "Always 1; the labels say which build runs.",
		metric.Label{Name: "version", Value: version}, metric.Label{Name: "go", Value: runtime.Version()})
	set.GaugeFunc("process_start_time_seconds", "When the process began, in Unix time.", func() float64 { return float64(started.UnixMilli()) / 1e3 })
	set.GaugeFunc("go_goroutines", "Goroutines of the process.", func() float64 { return float64(runtime.NumGoroutine()) })
	system(set)
}
