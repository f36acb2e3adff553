#!/usr/bin/env bash
# Fuzzes, guided by coverage: fuzz/fuzz.sh SECONDS [TARGET…], all targets where none is named.
#
# Without a sanitizer, for which Rust wants a nightly compiler; the library's own tests run under AddressSanitizer by
# `make sanitize`. What is found stays in target/fuzz; FUZZ_ARGS are libFuzzer's own, such as -runs=10000000.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: fuzz/fuzz.sh SECONDS [TARGET…]}
shift

# For libFuzzer.
command -v c++ >/dev/null || harness/apt-install.sh g++

# Dependencies are those of every other build; what is fuzzed is fast, and checked as in a debug build.
CARGO_PROFILE_DEV_OPT_LEVEL=3 RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/rustc.sh cargo build --package fuzz --bin fuzz
binary=target/debug/fuzz

# The module that ships, which one target compares with.
export HARNESS_FILTERS=$PWD/target/filters
[ $# -gt 0 ] || set -- fuzz/corpus/*/
for each in "$@"; do
  target=$(basename "$each")
  mkdir -p "target/fuzz/$target"
  echo "== $target" >&2
  FUZZ_TARGET=$target "$binary" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=10 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="target/fuzz/$target-" ${FUZZ_ARGS:-} "target/fuzz/$target" "fuzz/corpus/$target"
done
