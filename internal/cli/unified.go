package cli

import (
	"fmt"
	"strings"
)

// diffContext is how many lines are shown around a change.
const diffContext = 3

// diffLinesMax bounds the table of a comparison: files with more lines between their first and last change are shown as replaced.
const diffLinesMax = 5000

// An edit is one line of a comparison: kept (' '), taken away ('-') or added ('+').
type edit struct {
	sign byte
	line string
}

// unified compares two texts in the form of diff -u.
func unified(name, before, after string) string {
	edits := compareLines(splitLines(before), splitLines(after))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	oldLine, newLine := 1, 1
	for i := 0; i < len(edits); {
		if edits[i].sign == ' ' {
			oldLine, newLine, i = oldLine+1, newLine+1, i+1
			continue
		}
		begin := max(0, i-diffContext)
		end := hunkEnd(edits, i)
		hunk := edits[begin:end]
		oldCount, newCount := len(hunk), len(hunk)
		for _, e := range hunk {
			switch e.sign {
			case '+':
				oldCount--
			case '-':
				newCount--
			}
		}
		fmt.Fprintf(&out, "@@ -%d,%d +%d,%d @@\n", oldLine-(i-begin), oldCount, newLine-(i-begin), newCount)
		for _, e := range hunk {
			out.WriteByte(e.sign)
			out.WriteString(e.line + "\n")
		}
		oldLine, newLine, i = oldLine-(i-begin)+oldCount, newLine-(i-begin)+newCount, end
	}
	return out.String()
}

func splitLines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// hunkEnd returns the end of the changes that begin at i, with what is shown behind them.
func hunkEnd(edits []edit, i int) int {
	last := i
	for k := i; k < len(edits) && k <= last+2*diffContext; k++ {
		if edits[k].sign != ' ' {
			last = k
		}
	}
	return min(len(edits), last+1+diffContext)
}

// compareLines returns how a becomes b with as few changes as possible.
func compareLines(a, b []string) (edits []edit) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		edits = append(edits, edit{' ', a[head]})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	edits = append(edits, compareMiddle(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		edits = append(edits, edit{' ', line})
	}
	return edits
}

// compareMiddle compares by the longest common subsequence.
func compareMiddle(a, b []string) (edits []edit) {
	var common [][]int // of a[i:] and b[k:]
	if max(len(a), len(b)) <= diffLinesMax {
		common = make([][]int, len(a)+1)
		for i := range common {
			common[i] = make([]int, len(b)+1)
		}
		for i := len(a) - 1; i >= 0; i-- {
			for k := len(b) - 1; k >= 0; k-- {
				common[i][k] = max(common[i+1][k], common[i][k+1])
				if a[i] == b[k] {
					common[i][k] = common[i+1][k+1] + 1
				}
			}
		}
	}
	i, k := 0, 0
	for i < len(a) || k < len(b) {
		switch {
		case common != nil && i < len(a) && k < len(b) && a[i] == b[k]:
			edits = append(edits, edit{' ', a[i]})
			i, k = i+1, k+1
		case i < len(a) && (k == len(b) || common == nil || common[i+1][k] >= common[i][k+1]):
			edits = append(edits, edit{'-', a[i]})
			i++
		default:
			edits = append(edits, edit{'+', b[k]})
			k++
		}
	}
	return edits
}
