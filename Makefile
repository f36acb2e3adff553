# Every verb in a few lines; what takes more is Rust, or a script beside what it builds.

GATEWAY ?= embedded
# wasm or native, with GATEWAY=kong; empty: wasm where the Kong has it
ENGINE ?=
HARNESS := cargo run --quiet --package harness --

.PHONY: demo test filter filter-test native up bench fmt lint

## demo: bring all of it up and walk the path, and every way in which it must fail
demo: filter
	cargo build --package harness
	$(HARNESS) demo --gateway $(GATEWAY) $(if $(ENGINE),--engine $(ENGINE))

## test: unit tests, the filter's core inside wasm, end-to-end suites (GATEWAY=embedded)
test: filter filter-test native
	HARNESS_GATEWAY=$(GATEWAY) HARNESS_ENGINE=$(ENGINE) cargo test --workspace --all-features

## up: PKI, Dogcatcher and gateway until Ctrl-C
up: filter
	$(HARNESS) up --gateway $(GATEWAY) $(if $(ENGINE),--engine $(ENGINE))

## bench: what a decision costs
bench:
	cargo bench --package mtls-policy

## filter: the wasm module, as Kong's wasm_filters_path wants it, in target/filters
filter:
	filter/build.sh build --package mtls-policy --profile filter --target-dir target/wasm
	mkdir -p target/filters
	install -m 644 target/wasm/wasm32-unknown-unknown/filter/mtls_policy.wasm target/filters/mtls-policy.wasm
	install -m 644 kong/filters/mtls-policy.meta.json target/filters/
	@wc -c target/filters/mtls-policy.wasm

## native: the library of the Lua plugin mtls-policy, as Kong's lua_package_cpath wants it, in target/native
native:
	cargo build --package mtls-policy-native --profile native

## filter-test: the policy's core inside wasm, in Node
filter-test:
	filter/test.sh

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- --deny warnings
