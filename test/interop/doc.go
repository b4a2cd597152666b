// Package interop has Sluice, as a user runs it, between real peers: nginx, HAProxy and Python as origins, nginx and HAProxy in front of it, curl as client, Prometheus
// as the reader of its metrics.
//
// Its tests have the build tag interop: "make interop" installs the peers and runs them. Each test starts processes of its own on free ports of the loopback
// interface, with files in a folder of its own, and ends only those. A peer that is missing skips its tests, but fails them under CI.
// What single bytes do is the matter of test/wire; here counts that programs which others wrote get along with Sluice.
package interop
