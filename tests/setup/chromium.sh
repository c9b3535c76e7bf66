#!/usr/bin/env bash
# Installs Debian's Chromium, which the tests of the console drive, if no Chromium and
# no Chrome is there, and prints its path. Needs root to install.
set -euo pipefail

there() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if [[ -n "${CHROMIUM:-}" ]]; then
  echo "$CHROMIUM"
  exit
fi
if ! there >/dev/null; then
  if ! command -v apt-get >/dev/null || [[ "$EUID" -ne 0 ]]; then
    echo "install Chromium or Chrome, and set CHROMIUM to its path if it is none of the usual ones" >&2
    exit 1
  fi
  {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends chromium
  } >&2
fi
there
