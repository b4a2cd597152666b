//go:build linux

package main

import (
	"math"
	"slices"
)

// A spread is what several rounds gave: the value in the middle and the two at the ends. All are 0 if there was no round.
type spread struct {
	Median, Min, Max float64
}

// spreadOf sorts a copy of the values, so that their order (the rounds) stays.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return spread{median(sorted), sorted[0], sorted[len(sorted)-1]}
}

// median of sorted values; the mean of the middle two if their number is even.
func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios divides round by round: what the two had in common in a round, such as a slow neighbour on the machine, falls out.
func ratios(values, base []float64) []float64 {
	var quotients []float64
	for i := range min(len(values), len(base)) {
		if base[i] > 0 {
			quotients = append(quotients, values[i]/base[i])
		}
	}
	return quotients
}

// percentile of sorted values by the nearest rank; p is from 0 to 100.
func percentile[T any](sorted []T, p float64) T {
	var none T
	if len(sorted) == 0 {
		return none
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
