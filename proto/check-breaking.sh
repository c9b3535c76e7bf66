#!/usr/bin/env bash
# Checks that the contracts break no client of the latest revision on main. On main
# itself that is the previous revision; BASE=rev names another. A clone without history
# has nothing to compare with, and the check says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

main=$(git rev-parse --quiet --verify origin/main || git rev-parse --quiet --verify main || true)
base=${BASE:-$(git merge-base HEAD "$main" 2>/dev/null || true)}
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse --quiet --verify HEAD^ || true)
fi
[ -n "$base" ] || { echo "no earlier revision here: the contracts are compared with nothing" >&2; exit 0; }

earlier=$(mktemp -d)
trap 'rm -rf "$earlier"' EXIT
git archive "$base" proto | tar --extract --directory "$earlier"
tools=$(tests/setup/node.sh)
"$tools/node_modules/.bin/buf" breaking proto --against "$earlier/proto"
echo "the contracts break nothing since $(git rev-parse --short "$base")"
