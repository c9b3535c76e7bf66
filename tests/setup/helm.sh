#!/usr/bin/env bash
# Builds Helm and helm-docs from their Go modules if they are missing, and
# prints the folder that holds `bin/helm` and `bin/helm-docs`. Needs Go 1.26 or
# newer, and some minutes the first time.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
helm=v3.22.0
helm_docs=v1.14.2

install() {
  command -v go >/dev/null || { echo "building Helm needs Go: https://go.dev/doc/install" >&2; return 1; }
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath -ldflags '-s -w' "helm.sh/helm/v3/cmd/helm@$helm"
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath -ldflags '-s -w' "github.com/norwoodj/helm-docs/cmd/helm-docs@$helm_docs"
}

install_once helm "$helm-$helm_docs" install
