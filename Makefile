# Sluice. "make help" lists what there is to do.
.DEFAULT_GOAL := help

T ?= 30s
BASE ?= main

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and start sluice demo: a proxy in front of small origins of its own
	bin/sluice demo

.PHONY: build
build: ## build bin/sluice
	CGO_ENABLED=0 go build -trimpath -o bin/sluice ./cmd/sluice

.PHONY: test
test: peers check cross ## all that CI runs: installs the peers, then check and every suite (under 20 minutes)
	@go run ./test/run suites

.PHONY: check
check: fmt vet vuln ## gofmt, vet, staticcheck, govulncheck and the rules of the house, in under two minutes
	go test ./test/repo

.PHONY: fmt
fmt: ## fail if a file is not as gofmt writes it
	@bad=$$(gofmt -l cmd internal test); if [ -n "$$bad" ]; then echo "gofmt -w these files:"; echo "$$bad"; exit 1; fi

.PHONY: vet
vet: ## go vet, with and without the build tags, and staticcheck
	go vet ./...
	go vet -tags bufdebug,interop,soak ./...
	go tool staticcheck ./...

.PHONY: cross
cross: ## build for another system, where the engine is plain goroutines
	GOOS=darwin go build ./internal/... ./cmd/...

.PHONY: vuln
vuln: ## govulncheck; says so where its database cannot be reached
	@go run ./test/run vuln

.PHONY: peers
peers: ## install the programs that the tests talk to: nginx, curl, openssl, haproxy, python3, Prometheus, a C compiler for -race
	@go run ./test/peers test

.PHONY: wire
wire: ## wire transcripts; UPDATE=1 rewrites them: review the diff
	go test ./test/wire/... $(if $(UPDATE),-update)

.PHONY: fuzz
fuzz: ## every fuzz target in turn, for T=30s each
	@go run ./test/run fuzz -t $(T)

.PHONY: sim
sim: ## the engine and the whole proxy on a simulated network and clock, by many seeds; SEED=n runs that one alone and tells what happens
	$(if $(SEED),,go test -count 1 -v -run Simulation ./internal/loop)
	go test -count 1 -v -timeout 1h -run SimulationServes ./test/sim $(if $(SEED),-seed $(SEED),-seeds $(or $(SEEDS),20000))

.PHONY: interop
interop: peers ## real peers: nginx, HAProxy and Python as origins or in front, curl as client
	go test -count 1 -tags interop ./test/interop/...

.PHONY: churn
churn: ## 100 reloads in a minute, then 20 binary upgrades, under load: nothing may be lost (three minutes)
	go test -count 1 -v -tags interop -run UnderLoadLoseNothing ./test/interop -full

.PHONY: soak
soak: ## hours of mixed traffic, looking for leaks
	go test -count 1 -v -tags soak -timeout 4h -run Soak ./test/...

.PHONY: bench
bench: build ## CPU per request, latency and memory beside nginx and HAProxy
	@go run ./test/peers bench
	go run ./test/bench $(ARGS)

.PHONY: bench-compare
bench-compare: ## Go benchmarks of this tree against those of BASE=main, by benchstat
	@go run ./test/run compare -base $(BASE)

.PHONY: pgo
pgo: ## renew cmd/sluice/default.pgo, the profile of forwarding that the compiler optimises by
	go test -run - -bench 'UserSpace/^(clients|tunnels)=64$$' -benchtime 3000000x -cpuprofile cmd/sluice/default.pgo -o /dev/null ./internal/serve

.PHONY: manual
manual: ## renew docs/reference.md and the schema, which are made from the settings' types
	go test -count 1 -run UpToDate ./internal/manual ./internal/admin -update

.PHONY: cover
cover: ## coverage of internal by all tests: cover.html
	go test -coverpkg ./internal/... -coverprofile cover.out ./...
	go tool cover -html cover.out -o cover.html
	@go tool cover -func cover.out | tail -1
