#!/usr/bin/env bash
# Builds kustomize from its Go module if it is missing, and prints the folder
# that holds `bin/kustomize`. Needs Go 1.24 or newer.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
# The newest version that Go 1.24 builds.
version=v5.8.1

install() {
  command -v go >/dev/null || { echo "building kustomize needs Go: https://go.dev/doc/install" >&2; return 1; }
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath -ldflags '-s -w' "sigs.k8s.io/kustomize/kustomize/v5@$version"
}

install_once kustomize "$version" install
