.DEFAULT_GOAL := help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'
test: ## run all tests
	go vet ./...
	go test ./...
.PHONY: help test
