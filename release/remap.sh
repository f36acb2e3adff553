#!/usr/bin/env bash
# Prints the flags by which rustc's work does not tell where it was done: panics name the places of sources.
set -euo pipefail
cd "$(dirname "$0")/.."

sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
# Every registry has a directory there, under a name of its own, once something has been fetched.
compgen -G "$sources/*" >/dev/null || cargo fetch --quiet --locked >&2

printf -- '--remap-path-prefix=%s= ' "$PWD/" "$sources"/*/
