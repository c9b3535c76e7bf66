#!/usr/bin/env bash
# Installs the Postgres server binaries with which tests start private clusters,
# if they are missing, and prints their folder. Needs root to install.
set -euo pipefail

newest() { ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -1; }

if [[ -n "${PG_BIN:-}" ]]; then
  echo "$PG_BIN"
  exit
fi
if [[ -z "$(newest)" ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "install Postgres 15 or newer, and set PG_BIN to the folder that holds initdb" >&2
    exit 1
  fi
  {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # The package would create and start an unwanted cluster.
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/no-main-cluster.conf
    apt-get install --yes --no-install-recommends postgresql
  } >&2
fi
dirname "$(newest)"
