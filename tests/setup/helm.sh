#!/usr/bin/env bash
# Builds Helm and helm-docs from their Go modules, unless they are there, and prints the
# folder that holds `bin/helm` and `bin/helm-docs`. Needs Go 1.26 or newer, and some
# minutes the first time.
#
# Beside them it puts `crds`: the schemas of Prometheus' operator, which the chart's
# PodMonitor and PrometheusRule must satisfy.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"
helm=v3.22.0
helm_docs=v1.14.2
# The newest version that the module proxy has.
prometheus_operator=v0.85.0

install() {
  command -v go >/dev/null || { echo "building Helm needs Go: https://go.dev/doc/install" >&2; return 1; }
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath -ldflags '-s -w' "helm.sh/helm/v3/cmd/helm@$helm"
  CGO_ENABLED=0 GOBIN="$1/bin" go install -trimpath -ldflags '-s -w' "github.com/norwoodj/helm-docs/cmd/helm-docs@$helm_docs"
  local module
  module="$(go mod download -json "github.com/prometheus-operator/prometheus-operator@$prometheus_operator" |
    sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
  mkdir -p "$1/crds"
  cp "$module"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml "$1/crds"
}

install_once helm "$helm-$helm_docs-$prometheus_operator" install
