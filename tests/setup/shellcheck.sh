#!/usr/bin/env bash
# Installs shellcheck if it is missing, and prints its path. Needs root to install.
set -euo pipefail

if ! command -v shellcheck >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "install shellcheck: https://www.shellcheck.net" >&2
    exit 1
  fi
  {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends shellcheck
  } >&2
fi
command -v shellcheck
