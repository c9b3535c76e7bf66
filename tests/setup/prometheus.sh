#!/usr/bin/env bash
# Installs Debian's Prometheus, whose `prometheus` and `promtool` the tests run,
# if it is missing, and prints their folder. Needs root to install.
set -euo pipefail

folder=/usr/bin
if [[ -n "${PROMETHEUS_BIN:-}" ]]; then
  echo "$PROMETHEUS_BIN"
  exit
fi
if [[ ! -x "$folder/promtool" || ! -x "$folder/prometheus" ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "install Prometheus, and set PROMETHEUS_BIN to the folder that holds promtool" >&2
    exit 1
  fi
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e "$policy" ]]; then
    # The package would start an unwanted server on the machine.
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes --no-install-recommends prometheus
  } >&2
fi
echo "$folder"
