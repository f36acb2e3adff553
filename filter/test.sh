#!/usr/bin/env bash
# Runs the core's tests inside wasm, in Node.
#
# The test runner has to be of the very version of wasm-bindgen that the tests are compiled with: Cargo.lock says which.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(grep -A1 '^name = "wasm-bindgen"$' Cargo.lock | sed -n 's/^version = "\(.*\)"/\1/p')
tools=$PWD/target/tools/wasm-bindgen-$version
if ! [ -x "$tools/bin/wasm-bindgen-test-runner" ]; then
  echo "installing wasm-bindgen-cli $version into target/tools" >&2
  cargo install wasm-bindgen-cli --version "$version" --no-default-features --quiet --root "$tools" --target-dir target/tools/build
fi

command -v node >/dev/null || harness/apt-install.sh nodejs
if ! command -v node >/dev/null; then
  echo "error: no node in PATH, in which the filter's core is tested: install Node.js 18 or newer" >&2
  exit 2
fi

export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$tools/bin/wasm-bindgen-test-runner
filter/build.sh test --package mtls-policy --no-default-features --test wasm --target-dir target/wasm
