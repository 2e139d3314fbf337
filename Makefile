# What a user and the tests need. `make demo` and `make test` bring the Debian packages that they miss.

.DEFAULT_GOAL := help
.PHONY: help build demo test bench geo

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

build: ## Build the sensor into target/release/spanwatch
	@scripts/packages.sh build
	cargo build --release --locked

demo: build ## Replay the capture of a small laptop farm and print what was found
	target/release/spanwatch replay --config pcaps/spanwatch.yml pcaps/laptop-farm/capture.pcap

test: ## Run every check and test
	@scripts/packages.sh build test
	@scripts/linters.sh target/linters
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	scripts/deny.sh
	cargo test --locked --no-fail-fast

bench: ## Measure the stages (criterion)
	cargo bench --locked

geo: ## Bring a free country database (CC0) into geo/
	scripts/geo.sh geo
