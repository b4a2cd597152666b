package repo

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A rule is one rule of the house.
type rule struct {
	name  string // as markers write it
	why   string // the reason, and what to do instead
	check func(*tree)
}

// rules are all rules that look at files alone. The markers' own rule must be the last: it sees which ones were of use.
var rules = slices.Concat(importRules, sizeRules, docRules, banRules, wordRules, loopRules, testRules, documentRules, []rule{
	{"marker", "a marker says which rule is broken and why", checkMarkers},
})

func TestHouseRules(t *testing.T) {
	tr, err := loadTree("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, b := range tr.run(r) {
				t.Errorf("%s:%d: %s (%s)", b.file.path, b.line, b.text, r.why)
			}
		})
	}
}

// Each rule must find what is planted in testdata/RULE.txtar: the lines with BREACH, the places that its file EXPECTED names, and no others.
func TestRulesFindPlantedBreaches(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", r.name+".txtar"))
			if err != nil {
				t.Fatal("a rule without a planted breach proves nothing: ", err)
			}
			planted := unpack(string(text))
			expected := strings.Fields(planted["EXPECTED"])
			delete(planted, "EXPECTED")
			tr := newTree(planted)
			if r.name == "marker" { // it looks at what the other rules did
				for _, other := range rules[:len(rules)-1] {
					tr.run(other)
				}
			}
			comparePlanted(t, tr, expected, tr.run(r))
		})
	}
}

// comparePlanted compares the breaches found with the places expected and the lines that have BREACH in them.
func comparePlanted(t *testing.T, tr *tree, expected []string, found []breach) {
	t.Helper()
	want := map[string]bool{}
	for _, place := range expected {
		want[place] = true
	}
	for _, f := range tr.files {
		for i, line := range strings.Split(f.text, "\n") {
			if strings.Contains(line, "BREACH") {
				want[fmt.Sprintf("%s:%d", f.path, i+1)] = true
			}
		}
	}
	if len(want) == 0 {
		t.Error("no breach is planted")
	}
	for _, b := range found {
		place := fmt.Sprintf("%s:%d", b.file.path, b.line)
		if _, ok := want[place]; !ok {
			t.Errorf("false alarm at %s: %s", place, b.text)
		}
		want[place] = false
	}
	for _, place := range slices.Sorted(maps.Keys(want)) {
		if want[place] {
			t.Errorf("missed the breach at %s", place)
		}
	}
}

var (
	fileLine   = regexp.MustCompile(`(?m)^-- (\S+) --\n`)
	repeatLine = regexp.MustCompile(`(?m)^repeat (\d+): (.*)\n`)
)

// unpack returns the files of a txtar archive. A line "repeat 70: text" stands for 70 lines of text.
func unpack(archive string) map[string]string {
	files := map[string]string{}
	marks := fileLine.FindAllStringSubmatchIndex(archive, -1)
	for i, m := range marks {
		end := len(archive)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		files[archive[m[2]:m[3]]] = repeatLine.ReplaceAllStringFunc(archive[m[1]:end], func(line string) string {
			parts := repeatLine.FindStringSubmatch(line)
			n, _ := strconv.Atoi(parts[1])
			return strings.Repeat(parts[2]+"\n", n)
		})
	}
	return files
}
