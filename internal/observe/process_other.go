//go:build !linux

package observe

import "sluice/internal/observe/metric"

func system(*metric.Set) {}
