#!/usr/bin/env bash
# Checks workflows, issue forms and the compose file against their published schemas: check-jsonschema brings them along.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.39.0
tools=$PWD/target/tools/check-jsonschema-$version

[ -x "$tools/bin/check-jsonschema" ] || harness/pip-install.sh "$tools" check-jsonschema "$version"

check() {
  "$tools/bin/check-jsonschema" --builtin-schema "vendor.$1" "${@:2}"
}
check github-workflows .github/workflows/*.yml
check github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
check github-issue-config .github/ISSUE_TEMPLATE/config.yml
check compose-spec kong/compose.yaml
