#!/usr/bin/env bash
# rustc with coverage for libFuzzer, for the crates of this workspace only: RUSTC_WORKSPACE_WRAPPER=fuzz/rustc.sh
#
# As cargo-fuzz instruments, by what a stable compiler has. Cargo asks it for its cfgs too, so that `guided` counts there.
set -euo pipefail

# A build script runs without libFuzzer, whose symbols an instrumented one would miss.
case " $* " in *" --crate-name build_script_build "*) exec "$@" ;; esac

passes=(--cfg guided -Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  passes+=("-Cllvm-args=-sanitizer-coverage-$option")
done
exec "$@" "${passes[@]}"
