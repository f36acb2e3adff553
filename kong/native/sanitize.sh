#!/usr/bin/env bash
# Runs the ABI's tests under AddressSanitizer, which ends the first that reads or writes what is not its own, uses what
# is freed, frees twice, or leaks.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Bootstrap mode allows -Z on a stable compiler. A target, so that build scripts do without.
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --package mtls-policy-native --no-default-features --lib --test abi \
  --target "$target" --target-dir target/asan
