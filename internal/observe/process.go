package observe

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"sluice/internal/observe/metric"
)

// Process makes the metrics of the process itself in set. They are read from the system and from Go's runtime when they are asked for; none stops the world.
func Process(set *metric.Set, version string, started time.Time) {
	set.Info("sluice_build_info", "Always 1; the labels say which build runs.",
		metric.Label{Name: "version", Value: version}, metric.Label{Name: "go", Value: runtime.Version()})
	set.GaugeFunc("process_start_time_seconds", "When the process began, in Unix time.", func() float64 { return float64(started.UnixMilli()) / 1e3 })
	set.GaugeFunc("go_goroutines", "Goroutines of the process.", func() float64 { return float64(runtime.NumGoroutine()) })
	set.GaugeFunc("go_gomaxprocs", "Processors that Go may use at once (GOMAXPROCS).", runtimeMetric("/sched/gomaxprocs:threads"))
	set.GaugeFunc("go_heap_objects_bytes", "Memory of Go's heap that objects lie in, dead ones that are not swept yet too.",
		runtimeMetric("/memory/classes/heap/objects:bytes"))
	set.GaugeFunc("go_memory_bytes", "Memory that Go's runtime has from the system.", runtimeMetric("/memory/classes/total:bytes"))
	set.CounterFunc("go_allocated_bytes_total", "Memory allocated on Go's heap.", runtimeMetric("/gc/heap/allocs:bytes"))
	set.CounterFunc("go_gc_cycles_total", "Garbage collections.", runtimeMetric("/gc/cycles/total:gc-cycles"))
	set.CounterFunc("go_gc_cpu_seconds_total", "CPU time of garbage collections, as Go estimates it.", runtimeMetric("/cpu/classes/gc/total:cpu-seconds"))
	set.CounterFunc("go_gc_pause_seconds_total", "Time that garbage collections have stopped the process.", func() float64 {
		var s debug.GCStats
		debug.ReadGCStats(&s)
		return s.PauseTotal.Seconds()
	})
	system(set)
}

// runtimeMetric returns a function that reads a number of runtime/metrics. It is NaN if this version of Go does not know it.
func runtimeMetric(name string) func() float64 {
	return func() float64 {
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		switch v := sample[0].Value; v.Kind() {
		case metrics.KindUint64:
			return float64(v.Uint64())
		case metrics.KindFloat64:
			return v.Float64()
		}
		return math.NaN()
	}
}
