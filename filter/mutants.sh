#!/usr/bin/env bash
# Mutates the policy's core and runs its own tests: what nobody notices is a test that is owed. Arguments are
# cargo-mutants' own, such as --shard 0/2 or --re policy/rules.rs; results are in target/mutants.out.
set -euo pipefail
cd "$(dirname "$0")/.."

version=27.1.0
tools=$PWD/target/tools/cargo-mutants-$version
[ -x "$tools/bin/cargo-mutants" ] || cargo install cargo-mutants --version "$version" --locked --root "$tools"
"$tools/bin/cargo-mutants" mutants --package mtls-policy --output target "$@"
