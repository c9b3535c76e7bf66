#!/usr/bin/env bash
# Renders the chart with its defaults to k8s/rendered, for people without Helm.
# With --check it only reports whether the folder is up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rendered=k8s/rendered/company-activity.yaml
helm="$(tests/setup/helm.sh)/bin/helm"

# For the oldest Kubernetes that the chart supports.
render() {
  echo "# Made from helm/company-activity by \`make k8s-render\`. Change the chart, not this file."
  "$helm" template company-activity helm/company-activity \
    --namespace company-activity --skip-tests --kube-version 1.30.0
}

if [[ "${1:-}" == --check ]]; then
  new="$(mktemp)"
  trap 'rm -f "$new"' EXIT
  render >"$new"
  if ! diff --unified "$rendered" "$new"; then
    echo "$rendered is not what the chart renders: run \`make k8s-render\`" >&2
    exit 1
  fi
else
  mkdir -p k8s/rendered
  # Write the whole file or nothing.
  render >"$rendered.new"
  mv "$rendered.new" "$rendered"
fi
