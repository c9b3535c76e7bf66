#!/usr/bin/env bash
# Takes the resource definitions of the Prometheus operator, whose schemas the
# chart's objects must satisfy, from its Go module if they are missing, and
# prints the folder that holds them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
# The newest version on the module proxy.
version=v0.85.0

install() {
  command -v go >/dev/null || { echo "downloading Go modules needs Go: https://go.dev/doc/install" >&2; return 1; }
  local module
  module="$(go mod download -json "github.com/prometheus-operator/prometheus-operator@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  cp "$module"/example/prometheus-operator-crd/*.yaml "$1"
}

install_once prometheus-crds "$version" install
