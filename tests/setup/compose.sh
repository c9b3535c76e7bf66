#!/usr/bin/env bash
# Builds the compose file parser that Docker itself uses, if it is missing, and
# prints the folder that holds `bin/compose-go`. Needs Go 1.24 or newer.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
version=v2.16.2

install() {
  command -v go >/dev/null || { echo "building compose-go needs Go: https://go.dev/doc/install" >&2; return 1; }
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath "github.com/compose-spec/compose-go/v2/cmd@$version"
  mv "$1/bin/cmd" "$1/bin/compose-go"
}

install_once compose "$version" install
