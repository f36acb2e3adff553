#!/usr/bin/env bash
# Writes what is in the module, the library and the harness, as CycloneDX: release/sbom.sh EPOCH DIRECTORY
#
# By cargo-cyclonedx, which is built from its own lock file into target/tools: minutes, once.
set -euo pipefail
cd "$(dirname "$0")/.."

export SOURCE_DATE_EPOCH=$1
directory=$2
version=0.5.9
tools=$PWD/target/tools/cargo-cyclonedx-$version
[ -x "$tools/bin/cargo-cyclonedx" ] || cargo install cargo-cyclonedx --version "$version" --locked --root "$tools"

mkdir -p "$directory"
trap 'rm -f ./*/*.cdx.json kong/native/*.cdx.json' EXIT
"$tools/bin/cargo-cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --no-build-deps
for each in filter/mtls-policy kong/native/mtls-policy-native harness/harness; do
  # Where it was built is nobody's business.
  sed "s,file://$PWD,file://,g" "$each.cdx.json" >"$directory/$(basename "$each").cdx.json"
done
