#!/usr/bin/env bash
# Creates a cluster in Docker if it is missing, and installs the suite in it
# with everything it needs: the image is built from the work tree. Run it again
# after any change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cluster=company-activity
namespace=company-activity
image=ghcr.io/company-activity/company-activity:dev

for tool in docker kind kubectl; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: see docs/operations.md, \"On a laptop\"" >&2; exit 1; }
done
if command -v helm >/dev/null; then helm=helm; else helm="$(tests/setup/helm.sh)/bin/helm"; fi
in_cluster() { kubectl --context "kind-$cluster" --namespace "$namespace" "$@"; }

docker build --file docker/Dockerfile --tag "$image" \
  --build-arg COMMIT="$(git rev-parse HEAD 2>/dev/null || true)" .

if ! kind get clusters | grep --quiet --line-regexp "$cluster"; then
  kind create cluster --config k8s/kind/cluster.yaml --wait 2m
fi
kind load docker-image "$image" --name "$cluster"

# A Job cannot be changed, only recreated.
in_cluster delete job sample-exports --ignore-not-found
in_cluster apply --kustomize k8s/dev
in_cluster apply --filename k8s/kind/jaeger.yaml
for dependency in statefulset/postgres statefulset/azurite deployment/sample-api deployment/jaeger deployment/collector; do
  in_cluster rollout status "$dependency" --timeout 5m
done
in_cluster wait --for condition=complete job/sample-exports --timeout 5m

"$helm" upgrade --install company-activity helm/company-activity \
  --kube-context "kind-$cluster" --namespace "$namespace" --values k8s/kind/values.yaml \
  --wait --timeout 10m
# The tag stays the same after each build, so only recreated pods use the new image.
in_cluster rollout restart deployment --selector app.kubernetes.io/instance=company-activity
in_cluster rollout status deployment --selector app.kubernetes.io/instance=company-activity --timeout 5m

echo "Traces are on http://localhost:16686. The sample has 60 days from 2026-01-01:"
echo "  kubectl --context kind-$cluster -n $namespace exec deployment/company-activity-coordinator -- \\"
echo "    activityctl trigger --from 2026-01-01 --to 2026-03-01 --wait"
