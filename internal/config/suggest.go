package config

import (
	"fmt"
	"slices"
	"strings"
)

// wordMax is how long a word may be for which a similar one is looked for, in bytes.
const wordMax = 64

// DidYouMean returns a suggestion for a word that is not among known: the nearest one, or, where known is short, all of them. "" if there is none.
func DidYouMean(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) > 0 && len(known) <= 12 {
		sorted := slices.Sorted(slices.Values(known))
		return "known here: " + strings.Join(sorted, ", ")
	}
	return ""
}

// nearest returns the known word that needs the fewest edits from word, "" if none is near: one edit for each three letters.
func nearest(word string, known []string) string {
	if len(word) > wordMax {
		return ""
	}
	best, bestEdits := "", 0
	for _, k := range known {
		if fold(k) == fold(word) {
			return k
		}
		if len(word) >= 3 && len(k) >= 3 && (strings.HasPrefix(fold(word), fold(k)) || strings.HasPrefix(fold(k), fold(word))) && best == "" {
			best, bestEdits = k, wordMax
		}
		edits := editDistance(fold(word), fold(k))
		if edits > max(1, min(len(word), len(k))/3) || edits >= len(k) {
			continue
		}
		if best == "" || edits < bestEdits {
			best, bestEdits = k, edits
		}
	}
	return best
}

// fold makes rateLimit, rate-limit and Rate_Limit the same.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// editDistance counts insertions, deletions, changes and swaps of neighbours between a and b.
func editDistance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
