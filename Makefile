# Every verb in a few lines; what takes more is Rust, or a script beside what it builds.

# Those that `make test` runs the suites on, unless it is told one.
GATEWAYS := $(or $(GATEWAY),embedded envoy)
GATEWAY ?= embedded
# wasm or native, with GATEWAY=kong; empty: wasm where the Kong has it
ENGINE ?=
# Not exported empty: a variable that is set names an engine.
ifneq ($(ENGINE),)
export HARNESS_ENGINE = $(ENGINE)
endif
# off, postgres or hybrid, with GATEWAY=kong: where Kong gets its configuration from; empty: a declarative file
DATABASE ?=
ifneq ($(DATABASE),)
export HARNESS_DATABASE = $(DATABASE)
endif
POSTGRES = $(if $(filter-out off,$(DATABASE)),postgres)
HARNESS := cargo run --quiet --package harness --

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# What a release is called, as rockspecs want it without the `v` of its tag.
RELEASE = kong-upstream-mtls-$(VERSION)

# What is packed has the time of the last commit.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: demo test conformance e2e filter filter-test native dist bench-filter envoy prometheus browser pictures up bench fmt lint sanitize soak bench-native bench-reload deny fuzz mutants sbom reproducible tagged spec changes postgres

## demo: bring all of it up and walk the path, and every way in which it must fail
demo: filter
	cargo build --package harness
	$(HARNESS) demo --gateway $(GATEWAY)

## test: unit tests, the filter's core inside wasm, end-to-end suites (on embedded and Envoy, or GATEWAY=kong)
test: filter filter-test native spec envoy prometheus browser $(POSTGRES)
	HARNESS_REQUIRE=envoy,browser,$(firstword $(GATEWAYS)) HARNESS_GATEWAY=$(firstword $(GATEWAYS)) cargo test --workspace --all-features
	for each in $(wordlist 2,9,$(GATEWAYS)); do \
	  HARNESS_REQUIRE=$$each HARNESS_GATEWAY=$$each cargo test --workspace --all-features --test suites || exit; done

## conformance: the same cases on every host that is here, as a table
conformance: filter
	$(HARNESS) conformance

## e2e: the shipped setup and its cases, as a user's CI would run them; reports in target/e2e.*
e2e: filter
	$(HARNESS) e2e --gateway $(GATEWAY) --config kong/kong.yml --suite kong/e2e.yaml --junit target/e2e.xml --html target/e2e.html

## up: PKI, Dogcatcher and gateway until Ctrl-C
up: filter
	$(HARNESS) up --gateway $(GATEWAY)

## soak: ten million requests while all that can go wrong does, on a release build; REQUESTS=…, GATEWAY=…
REQUESTS ?= 10000000
soak: filter native
	cargo run --quiet --release --package harness -- soak --gateway $(GATEWAY) --requests $(REQUESTS) --svg target/soak.svg

## changes: random Admin API changes on two Kong nodes for an hour with each runtime; KONG_BIN=…, SECONDS=…, DATABASE=hybrid
changes: filter native postgres
	for runtime in wasm native; do \
	  HARNESS_GATEWAY=kong HARNESS_REQUIRE=kong HARNESS_ENGINE=$$runtime HARNESS_DATABASE=$(or $(DATABASE),postgres) \
	  HARNESS_CHANGES_SECONDS=$(or $(SECONDS),3600) \
	  cargo test --package tests --test suites -- admin_api_changes::random || exit; done

## bench: what a decision costs; with GATEWAY=kong KONG_BIN=…: what a gateway costs, in variants
ifeq ($(origin GATEWAY), file)
bench:
	cargo bench --package mtls-policy
else
bench: filter bench-filter
	cargo run --quiet --release --package harness -- bench --gateway $(GATEWAY) $(BENCH)
endif

## bench-filter: a filter that does nothing, to compare with, and the core in wasm without a host
bench-filter:
	filter/build.sh build --package mtls-policy --example empty-sdk --profile filter --target-dir target/wasm
	mkdir -p target/bench-filters
	install -m 644 target/wasm/wasm32-unknown-unknown/filter/examples/empty_sdk.wasm target/bench-filters/empty-sdk.wasm
	filter/build.sh build --package mtls-policy --example decide --no-default-features --profile filter --target-dir target/wasm
	install -m 644 target/wasm/wasm32-unknown-unknown/filter/examples/decide.wasm target/bench-filters/decide.wasm

## filter: the wasm module, as Kong's wasm_filters_path wants it, in target/filters
filter:
	filter/build.sh build --package mtls-policy --profile filter --target-dir target/wasm
	mkdir -p target/filters
	install -m 644 target/wasm/wasm32-unknown-unknown/filter/mtls_policy.wasm target/filters/mtls-policy.wasm
	install -m 644 kong/filters/mtls-policy.meta.json target/filters/
	@wc -c target/filters/mtls-policy.wasm

## native: the library of the Lua plugin mtls-policy, as Kong's lua_package_cpath wants it, in target/native
native:
	RUSTFLAGS="$$(release/remap.sh)" cargo build --package mtls-policy-native --profile native
	kong/native/check.sh target/native/libmtls_policy_native.so

## dist: what a release holds for this architecture, in target/dist: a tree as this one, without sources, for luarocks and docker
dist: filter native sbom
	RUSTFLAGS="$$(release/remap.sh)" cargo build --package harness --release --locked
	release/dist.sh $(SOURCE_DATE_EPOCH) $(RELEASE)

## sbom: what is in the module, the library and the harness, as CycloneDX, in target/sbom
sbom:
	release/sbom.sh $(SOURCE_DATE_EPOCH) target/sbom

## reproducible: what `make dist` packs is the same bytes, wherever it is made; WHAT=filter: the module alone
reproducible:
	release/reproducible.sh $(or $(WHAT),dist)

## tagged: TAG is the version's own, and the changelog knows it: asked before a release is published
tagged:
	@test "$(TAG)" = "v$(VERSION)" || { echo "error: the tag is $(TAG), Cargo.toml says $(VERSION)" >&2; exit 1; }
	@grep --quiet '^## \[$(VERSION)\]' CHANGELOG.md || { echo "error: CHANGELOG.md has no heading for $(VERSION)" >&2; exit 1; }

## sanitize: the library's tests under AddressSanitizer
sanitize:
	kong/native/sanitize.sh

## bench-native: what a decision costs across the FFI, in OpenResty's resty
bench-native: native
	resty kong/native/benches/decide.lua target/native/libmtls_policy_native.so kong/plugins/mtls-policy/cdef.lua

## bench-reload: the longest pause of another route while Kong loads a consumers file; KONG_BIN=…
bench-reload: native
	resty kong/native/benches/reload.lua $(or $(KONG_BIN),kong) target/native $(CONSUMERS)

## filter-test: the policy's core inside wasm, in Node
filter-test:
	filter/test.sh

## spec: the Lua plugins' specs in LuaJIT; with KONG_SOURCE, a Kong source checkout, also inside of that Kong
spec:
	kong/spec.sh

## envoy: the release that the driver was tried with, in target/tools
envoy:
	harness/install-envoy.sh

## prometheus: Prometheus and promtool, which the alerts are tested with, in target/tools
prometheus:
	harness/install-prometheus.sh

## browser: a browser without a window for the page's tests, and axe-core, in target/tools
browser:
	harness/install-browser.sh

## pictures: the README's pictures of the page, in docs/images, by the page's tests
pictures: filter browser
	HARNESS_PICTURES=$(CURDIR)/docs/images HARNESS_REQUIRE=browser cargo test --package harness --test page picture

## postgres: Debian's Postgres, where there is none; for DATABASE=postgres and DATABASE=hybrid
postgres:
	harness/install-postgres.sh

fmt:
	cargo fmt --all

lint: deny
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- --deny warnings
	kong/lint.sh
	.github/lint.sh

## deny: licences, versions and sources of dependencies, as deny.toml has them; `make deny ADVISORIES=advisories` on the network
deny:
	harness/install-cargo-deny.sh
	target/tools/cargo-deny-*/bin/cargo-deny check $(ADVISORIES) licenses bans sources

## fuzz: every target for an hour, or SECONDS; TARGETS names some
fuzz: filter
	fuzz/fuzz.sh $(or $(SECONDS),3600) $(TARGETS)

## mutants: the policy's core, changed in one place after another: its tests have to notice; an hour and more
mutants:
	filter/mutants.sh
