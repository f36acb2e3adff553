#!/usr/bin/env bash
# Puts cargo-deny into target/tools, built from its own lock file: minutes, once.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=$PWD/target/tools/cargo-deny-$version
[ -x "$tools/bin/cargo-deny" ] || cargo install cargo-deny --version "$version" --locked --root "$tools"
