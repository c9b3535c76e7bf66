#!/usr/bin/env bash
# Takes the resource definitions of cert-manager, whose schemas the chart's
# Certificates must satisfy, from its Go module if they are missing, and prints
# the folder that holds them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
version=v1.21.2

install() {
  command -v go >/dev/null || { echo "downloading Go modules needs Go: https://go.dev/doc/install" >&2; return 1; }
  local module
  module="$(go mod download -json "github.com/cert-manager/cert-manager@$version" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  cp "$module"/deploy/crds/*.yaml "$1"
}

install_once cert-manager-crds "$version" install
