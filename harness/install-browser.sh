#!/usr/bin/env bash
# Sees to it that there is a browser for the page's tests, Debian's chromium without a window unless there is another,
# and puts axe-core, which has the rules of accessibility, into target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

axe=4.11.0

is_here() { command -v "$1" >/dev/null; }
browser() {
  [ -n "${BROWSER_BIN:-}" ] && return
  for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    is_here "$name" && return
  done
  return 1
}

browser || harness/apt-install.sh chromium-headless-shell fonts-inter fonts-dejavu-core
if ! browser; then
  echo "error: no browser on PATH: chromium or google-chrome; or set BROWSER_BIN to one of yours" >&2
  exit 2
fi

tools=target/tools/axe-core
[ "$(cat "$tools/version" 2>/dev/null)" = "$axe" ] && exit
is_here npm || harness/apt-install.sh npm
if ! is_here npm; then
  echo "error: no npm on PATH, by which axe-core is installed" >&2
  exit 2
fi
echo "installing axe-core $axe into target/tools" >&2
mkdir -p "$tools"
# npm compares what it gets with the digest that the registry has of it. No script of a package is run.
npm install --prefix "$tools" --no-save --ignore-scripts --no-audit --no-fund "axe-core@$axe" >&2
echo "$axe" >"$tools/version"
