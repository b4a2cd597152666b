package main

import (
	"strings"
	"testing"
)

func TestCountsTestsAndNotPackages(t *testing.T) {
	n := report(strings.NewReader(`
{"Action":"start","Package":"p"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA/sub"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestC","Output":"c_test.go:1: planted\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1: planted\n"}
{"Action":"build-fail","ImportPath":"q"}
{"Action":"fail","Package":"q"}
`))
	if want := (counts{passed: 2, failed: 2, skipped: 1}); n != want {
		t.Errorf("counted %v, want %v", n, want)
	}
}

func TestRefusesUnknownCommand(t *testing.T) {
	if err := run(t.Context(), []string{"nothing"}); err == nil {
		t.Error("accepted the command nothing")
	}
}

func TestFindsFuzzTargets(t *testing.T) {
	targets, err := findFuzzTargets("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(targets) != 1 || targets[0] != (fuzzTarget{"testdata", "FuzzPlanted"}) {
		t.Errorf("found %v", targets)
	}
}
