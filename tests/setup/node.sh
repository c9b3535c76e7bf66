#!/usr/bin/env bash
# Installs the Node tools that the tests need (buf, Azurite, oidc-provider, playwright-core,
# axe-core) if they are missing, and prints the folder that holds `node_modules`.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/install-once.sh"

install() {
  cp "$here/node/package.json" "$here/node/package-lock.json" "$here/node/.npmrc" "$1"
  # Nothing here needs install scripts, which would run third-party code.
  npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund
}

install_once node "$(checksum "$here/node/package-lock.json")" install
