#!/usr/bin/env bash
# Checks every query of the Postgres engine against its schema and records the
# compiler's findings (.sqlx/), so that a build needs no database. Run it after changing
# a query or adding a migration, and commit the result. It starts its own cluster and
# stops it; PG_BIN names the folder of the binaries if they are not where Debian puts
# them.
set -euo pipefail
cd "$(dirname "$0")"

# Postgres refuses to run as root.
as_owner() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

bin=${PG_BIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)}
[ -x "$bin/initdb" ] || { echo "no Postgres binaries: run tests/setup/postgres.sh, or set PG_BIN" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'as_owner "$bin/pg_ctl" --pgdata "$scratch/data" --mode immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
[ "$(id -u)" != 0 ] || chown postgres "$scratch"
as_owner "$bin/initdb" --pgdata "$scratch/data" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 >/dev/null
as_owner "$bin/pg_ctl" --pgdata "$scratch/data" --log "$scratch/log" --wait \
  --options "-c listen_addresses='' -c unix_socket_directories='$scratch' -c fsync=off" start >/dev/null

# The compiler also needs the connection's own tables, and migrations sqlx's.
{
  echo 'CREATE TABLE _sqlx_migrations (version BIGINT NOT NULL PRIMARY KEY);'
  cat migrations/*.sql
  sed -e 's/CREATE TEMPORARY/CREATE/' -e 's/ ON COMMIT DELETE ROWS//' sql/*/create_incoming.sql sql/*/create_temporary.sql
} | "$bin/psql" --quiet --no-psqlrc --host "$scratch" --username postgres --set ON_ERROR_STOP=1 >/dev/null

rm -rf .sqlx && mkdir .sqlx
touch src/lib.rs # the macros run only when the crate is compiled anew
WAREHOUSE_POSTGRES_URL="postgres://postgres@localhost/postgres?host=$scratch" SQLX_OFFLINE_DIR="$PWD/.sqlx" \
  cargo check --quiet --package warehouse-postgres
echo "$(find .sqlx -name '*.json' | wc -l) queries checked"
