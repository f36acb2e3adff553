#!/usr/bin/env bash
# Packs both plugins as rocks, the same bytes from the same files: release/rocks.sh EPOCH DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/.."

epoch=$1
mkdir -p "$2"
directory=$(realpath "$2")

has_tools() { command -v luarocks zip unzip >/dev/null; }
has_tools || harness/apt-install.sh luarocks zip unzip
if ! has_tools; then
  echo "error: no luarocks, zip and unzip in PATH, by which rocks are packed" >&2
  exit 2
fi

scratch=$(mktemp --directory)
trap 'rm -r "$scratch"' EXIT
rocks() { luarocks --lua-version 5.1 --tree "$scratch/tree" "$@" >/dev/null 2>"$scratch/said" || { cat "$scratch/said" >&2; return 1; }; }

# The one that the other depends on first.
for each in upstream-mtls mtls-policy; do
  (cd kong && rocks make --deps-mode one kong-plugin-"$each"-*.rockspec)
  (cd "$scratch" && rocks pack "kong-plugin-$each")
done

# A rock is a ZIP file: in it, too, nothing is to tell when and by whom it was packed.
for each in "$scratch"/*.rock; do
  unpacked=$scratch/unpacked/$(basename "$each")
  mkdir -p "$unpacked"
  unzip -q "$each" -d "$unpacked"
  chmod -R u=rwX,go=rX "$unpacked"
  find "$unpacked" -exec touch --date="@$epoch" {} +
  rm -f "$directory/$(basename "$each")"
  (cd "$unpacked" && find . -type f -printf '%P\n' | LC_ALL=C sort | TZ=UTC zip -q -X -9 "$directory/$(basename "$each")" -@)
done
