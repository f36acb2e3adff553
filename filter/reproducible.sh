#!/usr/bin/env bash
# Builds the module twice, in two directories that have nothing in common, and compares the bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp --directory)
trap 'rm -rf "$scratch"' EXIT
for place in here elsewhere/and/deeper; do
  mkdir -p "$scratch/$place"
  git ls-files -z | tar --create --null --files-from=- | tar --extract --directory "$scratch/$place"
  (cd "$scratch/$place" && make --silent filter)
done
sha256sum "$scratch"/*/target/filters/mtls-policy.wasm "$scratch"/elsewhere/and/deeper/target/filters/mtls-policy.wasm | sed "s,$scratch/,,"
cmp "$scratch/here/target/filters/mtls-policy.wasm" "$scratch/elsewhere/and/deeper/target/filters/mtls-policy.wasm"
