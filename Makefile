# Go and a C compiler (for -race) are all that is needed; modules and tools come at the versions pinned here and in go.mod.
SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory

MODULES     := . test/aws bench/plot bench/jsonata
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSITYGW   := v1.8.0
FUZZTIME    ?= 10s
SEEDS       ?= 10000
ROUNDS      ?= 200
RUNS        ?= 10000
SIM_FAULTS  := ack-before-sync reuse-positions skip-dedup drop-outbox early-snapshot early-invoke early-reply early-cut keep-locks keep-requests stale-replies stale-steps lose-events keep-messages forget-times repeat-times hasty-times silent-ends keep-turns ignore-turns
BENCH       ?=

.DEFAULT_GOAL := help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

build: ## build bin/weft
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/weft ./cmd/weft

RELEASE := CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags '-s -w'
release: ## build what a release has into bin: weft, and the runtime of deployed functions beside it
	for arch in arm64 amd64; do \
	  GOARCH=$$arch $(RELEASE) -o bin/weft-linux-$$arch ./cmd/weft; \
	  GOARCH=$$arch $(RELEASE) -tags lambda.norpc,weft_aws -o bin/weft-function-linux-$$arch ./cmd/weft-function; \
	done
	GOARCH=amd64 $(RELEASE) -o bin/weft-function-google-linux-amd64 ./cmd/weft-function

run: ## count the words of the Go source tree (examples/wordcount)
	go run ./cmd/weft run examples/wordcount

DYNALITE := engine/integration/awssdk/testdata/dynalite
ORACLE   := asl/jsonata/testdata/oracle
WITNESS  := faas/firestoreapi/testdata/node

tools: $(DYNALITE)/node_modules/.package-lock.json $(ORACLE)/node_modules/.package-lock.json $(WITNESS)/node_modules/.package-lock.json bin/.versitygw-$(VERSITYGW) ## install what tests talk to, pinned: DynamoDB's API, JSONata's reference and a client of Firestore (npm), an S3 server (into bin)
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
bin/.versitygw-$(VERSITYGW):
	GOBIN=$(CURDIR)/bin go install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)
	@touch $@

# CI leaves no test out.
test race: $(if $(CI),tools)

test: ## go vet and all tests of all modules; the last line says "N passed, N failed"
	@for m in $(MODULES); do echo "go vet ($$m)"; (cd $$m && go vet ./...); done
	@go run ./internal/testsum -timeout=9m -- $(MODULES)

race: ## all tests under the race detector
	@go run ./internal/testsum -race -timeout=25m -- $(MODULES)

conformance: ## the States Language cases, one line a file of cases
	@go test -count=1 -run Conformance -v ./... | grep -E 'conformance:|^(--- )?FAIL|^panic'

test-aws: ## drive Weft with the AWS SDK for Go and, where present, the aws command
	cd test/aws && go test -count=1 -v ./...

crash: ## kill -9 a serving weft, and a bank of durable Go code, ROUNDS times each (default 200)
	WEFT_CRASH_ROUNDS=$(ROUNDS) go test -count=1 -v -timeout=60m ./test/crash

chaos: $(DYNALITE)/node_modules/.package-lock.json ## text processing without an orchestrator, RUNS times (default 10000), where everything goes wrong
	WEFT_CHAOS_RUNS=$(RUNS) go test -count=1 -v -timeout=60m ./test/chaos

sim: ## simulate SEEDS nodes (default 10000), break each rule once and see it caught, crash at every access to the disk
	go run ./sim/cmd/weft-sim -seeds $(SEEDS)
	@for f in $(SIM_FAULTS); do go run ./sim/cmd/weft-sim -fault $$f -seeds 1000; done
	go test -count=1 -run TestCrashAtEveryAccess ./sim -every 1

check-protocol: ## every interleaving of small runs without an orchestrator, with larger bounds than the tests have; mistakes; random histories
	go run ./unum/check/cmd/weft-check -deep -mistakes -walks $(SEEDS) -worlds 4000000

fuzz: ## run every fuzz target for FUZZTIME (default 10s)
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' . | sort); do \
	  for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]+)\(.*/\1/p' $$f); do \
	    echo "$$t in $$(dirname $$f)"; \
	    go test -run='^$$' -fuzz="^$$t\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=100x $$(dirname $$f); \
	  done; \
	done

bench: ## measure; prints tables, writes figures and pictures to bench/out (BENCH="-only hello5" for a part)
	go run ./bench $(BENCH)
	cd bench/plot && go run . ../out

bench-unum: ## runs without an orchestrator: fan-outs, chains and dollars, with the latencies of the paper, beside its figures
	go run ./bench/unum $(BENCH)

bench-jsonata: $(ORACLE)/node_modules/.package-lock.json ## JSONata beside the reference and gojq, one line an expression
	cd bench/jsonata && go run . -package ../../asl/jsonata

lint: ## gofmt, go vet, golangci-lint and weftvet
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "not gofmt'd:"; echo "$$bad"; exit 1; fi
	@for m in $(MODULES); do (cd $$m && go vet ./...); done
	go run $(GOLANGCI) run ./...
	go run ./cmd/weftvet ./...

clean: ## remove what the other targets make
	rm -rf bin bench/out .weft

.PHONY: help build release run tools test race conformance test-aws crash chaos sim check-protocol fuzz bench bench-unum bench-jsonata lint clean
