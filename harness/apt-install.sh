#!/usr/bin/env bash
# Installs packages of Debian's, as root or by sudo: harness/apt-install.sh PACKAGE…
#
# Ends well where it could not, and where there is no apt-get: whoever calls looks again, and says what is missing and
# what it is for.
set -euo pipefail

command -v apt-get >/dev/null || exit 0
sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
echo "installing $*" >&2
install() { $sudo apt-get install --yes --no-install-recommends "$@"; }
# The lists of packages may be old, or not there yet.
{ install "$@" || { $sudo apt-get update && install "$@"; }; } >&2 || true
