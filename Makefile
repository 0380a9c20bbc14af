# Two targets do the set-up on a fresh machine: `make demo` and `make test`.

GO      ?= go
BIN     ?= bin
TOOLS   := .tools
FUZZTIME ?= 5s
PREFIX  ?= $(shell $(GO) env GOPATH)/bin
GOFILES  = $(shell git ls-files -co --exclude-standard '*.go')

.PHONY: help build install demo test race lint fuzz soak check bench cross chaos chaos-real sim compat tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build relay and autoreview into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/relay ./cmd/autoreview

install: ## install both programs into PREFIX (default: Go's bin folder)
	CGO_ENABLED=0 GOBIN=$(PREFIX) $(GO) install -trimpath ./cmd/relay ./cmd/autoreview
	@echo "installed relay and autoreview in $(PREFIX)"

demo: build ## run the whole loop once: real Codex, scripted model, no account
	@sh .ci/tools codex
	@$(GO) run ./examples/demo

test: tools ## run every test, with the race detector where there is a C compiler
	@$(GO) run ./.ci/testreport ./...

race: ## run the tests of the Go parts only, with the race detector
	CGO_ENABLED=1 $(GO) test -race -short ./...

lint: ## gofmt, go vet and staticcheck
	@out=$$(gofmt -l $(GOFILES)); if [ -n "$$out" ]; then echo "gofmt differs in:"; echo "$$out"; exit 1; fi
	$(GO) vet ./... ./.ci/testreport
	$(GO) tool staticcheck ./... ./.ci/testreport
	$(GO) mod tidy -diff

fuzz: ## run each fuzz target for FUZZTIME (default 5s)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; done

chaos: ## kill everything at random moments: CHAOS_FAULTS=300, CHAOS_SEED, CHAOS_TIME=1h
	@CHAOS_FAULTS=$${CHAOS_FAULTS:-300} $(GO) test -count 1 -timeout 0 -v -run '^TestNothingIsLostOrDoubled$$' ./supervisor/chaos

chaos-real: ## the same with the real Codex and a scripted model: CHAOS_FAULTS=60
	@sh .ci/tools codex
	@CI=true CHAOS_FAULTS=$${CHAOS_FAULTS:-60} $(GO) test -count 1 -timeout 0 -v -run '^TestNothingIsLostWithTheRealCodex$$' ./supervisor/chaos

soak: ## 1000 runs, streams, waits and calls, then both programs under load: SOAK_TIME=10m
	@SOAK_RUNS=$${SOAK_RUNS:-1000} SOAK_TIME=$${SOAK_TIME:-10m} $(GO) test -count 1 -timeout 0 -v ./supervisor/soak

sim: ## simulate trouble step by step: SIM_SCHEDULES=10000, SIM_SEED
	@SIM_SCHEDULES=$${SIM_SCHEDULES:-10000} $(GO) test -count 1 -timeout 0 -v -run '^TestThePromiseHoldsInEverySchedule$$' ./supervisor/sim

check: lint test fuzz cross ## everything that must be green before a commit lands

bench: ## measure, with the floor beside each number
	$(GO) test -run '^$$' -bench . -benchtime 2s ./...

cross: ## build for linux/arm64, darwin/arm64 and windows/amd64 without cgo
	@for t in linux/arm64 darwin/arm64 windows/amd64; do \
	  echo "build $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/relay || exit 1; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/autoreview || exit 1; \
	  GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) vet ./cmd/... ./relay/... ./supervisor/... ./codexrun/... || exit 1; done

compat: tools ## run the tests of the real Codex with older versions of it
	@sh .ci/compat

tools: ## put the real parts for the tests into .tools (npm) and on the system (Debian, root)
	@sh .ci/tools all

clean: ## remove what was built; .tools stays
	rm -rf $(BIN) coverage.out
