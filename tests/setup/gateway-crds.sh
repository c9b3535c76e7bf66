#!/usr/bin/env bash
# Takes the resource definitions of the Gateway API, whose schemas the chart's
# HTTPRoute must satisfy, from its Go module if they are missing, and prints
# the folder that holds them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
version=v1.4.1

install() {
  command -v go >/dev/null || { echo "downloading Go modules needs Go: https://go.dev/doc/install" >&2; return 1; }
  local module
  module="$(go mod download -json "sigs.k8s.io/gateway-api@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  cp "$module"/config/crd/standard/*.yaml "$1"
}

install_once gateway-crds "$version" install
