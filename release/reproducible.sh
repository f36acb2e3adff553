#!/usr/bin/env bash
# Makes something twice, in two directories that have nothing in common, and compares the bytes:
# release/reproducible.sh dist, or filter for the module alone
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:?usage: release/reproducible.sh dist|filter}
scratch=$(mktemp --directory)
trap 'rm -rf "$scratch"' EXIT

places=(here elsewhere/and/deeper)
mkdir -p target/tools
# Both before either is made: meanwhile somebody may go on here.
for place in "${places[@]}"; do
  mkdir -p "$scratch/$place/target"
  git ls-files -z | tar --create --null --files-from=- | tar --extract --directory "$scratch/$place"
  # Tools that make it, which take minutes to install, and of which nothing is in it.
  ln -s "$PWD/target/tools" "$scratch/$place/target/tools"
done

made=()
for place in "${places[@]}"; do
  make --silent --directory "$scratch/$place" "$what"
  case $what in
    dist) made+=("$(echo "$scratch/$place"/target/dist/*.tar.gz)") ;;
    filter) made+=("$scratch/$place/target/filters/mtls-policy.wasm") ;;
  esac
done

sha256sum "${made[@]}" | sed "s,$scratch/,,"
if ! cmp "${made[@]}"; then
  # Which of the files in it.
  [ "$what" != dist ] || diff <(tar --extract --to-stdout --file "${made[0]}" --wildcards '*/SHA256SUMS') \
    <(tar --extract --to-stdout --file "${made[1]}" --wildcards '*/SHA256SUMS') || true
  exit 1
fi
