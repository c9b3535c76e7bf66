#!/usr/bin/env bash
# Runs every test of the workspace, then those of the Helm chart, and ends with
# their number: cargo prints one result per crate, and the last one is rarely
# the one that matters.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pytest="$(tests/setup/python.sh)/bin/pytest"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
status=0
cargo test --locked --workspace --no-fail-fast 2>&1 | tee "$log" || status=$?
# Alone, because they compare latencies.
cargo test --locked --workspace --test suite -- --ignored --nocapture --test-threads 1 abuse:: 2>&1 |
  tee -a "$log" || status=$?
"$pytest" --color=no tests/chart 2>&1 | tee -a "$log" || status=$?
awk '
  /^test result: / || /^[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s/ {
    for (field = 1; field < NF; field++) {
      if ($(field + 1) ~ /^passed/) passed += $field
      if ($(field + 1) ~ /^(failed|error)/) failed += $field
      if ($(field + 1) ~ /^(ignored|skipped)/) skipped += $field
    }
  }
  END { printf "\ntests: %d passed, %d failed, %d skipped\n", passed, failed, skipped }
' "$log"
exit "$status"
