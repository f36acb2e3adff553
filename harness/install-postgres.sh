#!/usr/bin/env bash
# Installs Debian's Postgres, unless there is one. No server is started: the harness starts one for each test run.
set -euo pipefail
cd "$(dirname "$0")/.."

installed() {
  [ -n "${POSTGRES_BIN:-}" ] || command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

if ! installed; then
  sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
  harness/apt-install.sh postgresql-common
  # Without this, the package creates a database cluster and starts a server.
  if [ -f /etc/postgresql-common/createcluster.conf ]; then
    $sudo sed --in-place 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  fi
  harness/apt-install.sh postgresql
fi
if ! installed; then
  echo "error: no Postgres: install postgresql, or set POSTGRES_BIN to the directory of its programs" >&2
  exit 2
fi
