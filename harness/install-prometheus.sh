#!/usr/bin/env bash
# Puts Prometheus and promtool into target/tools, from Debian's package and without installing it: nothing is started.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/tools/prometheus
[ -x "$tools/usr/bin/promtool" ] && exit

if ! command -v apt-get >/dev/null; then
  echo "no apt-get: put prometheus and promtool on PATH, or the tests of alerts are skipped" >&2
  exit 0
fi

scratch=$(mktemp --directory)
trap 'rm -r "$scratch"' EXIT
fetch() { (cd "$scratch" && apt-get download prometheus >&2); }
# The lists of packages may be old, or not there yet.
if ! fetch; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
  { $sudo apt-get update >&2 && fetch; } || {
    echo "no package prometheus to be had: the tests of alerts are skipped" >&2
    exit 0
  }
fi
mkdir -p "$tools"
dpkg-deb --extract "$scratch"/prometheus_*.deb "$tools"
