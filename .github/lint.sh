#!/usr/bin/env bash
# Checks workflows, issue forms and the compose file against their published schemas: check-jsonschema brings them along.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.39.0
tools=$PWD/target/tools/check-jsonschema-$version

can_make_environments() {
  python3 -c 'import ensurepip, venv' 2>/dev/null
}

if ! [ -x "$tools/bin/check-jsonschema" ]; then
  if ! can_make_environments && command -v apt-get >/dev/null; then
    sudo=$([ "$(id -u)" = 0 ] || echo "sudo --non-interactive")
    echo "installing python3-venv" >&2
    { $sudo apt-get update && $sudo apt-get install --yes --no-install-recommends python3 python3-venv; } >&2 || true
  fi
  if ! can_make_environments; then
    echo "error: no python3 with venv in PATH, by which check-jsonschema is installed" >&2
    exit 2
  fi
  echo "installing check-jsonschema $version into target/tools" >&2
  python3 -m venv --clear "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "check-jsonschema==$version" >&2
fi

check() {
  "$tools/bin/check-jsonschema" --builtin-schema "vendor.$1" "${@:2}"
}
check github-workflows .github/workflows/*.yml
check github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
check github-issue-config .github/ISSUE_TEMPLATE/config.yml
check compose-spec kong/compose.yaml
