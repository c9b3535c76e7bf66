#!/usr/bin/env bash
# Upgrades the suite from an earlier revision to this work tree in the middle of
# runs, and rolls it back. The argument names the revision; the default is the
# newest release before this commit. Its programs are built once and kept in the
# target folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

revision=${1:-$(git describe --tags --abbrev=0 --match 'v[0-9]*' HEAD^ 2>/dev/null || true)}
if [ -z "$revision" ]; then
  echo "there is no release before this commit: name a revision, as in make test-upgrade PREVIOUS=main" >&2
  exit 1
fi
commit=$(git rev-parse --verify "$revision^{commit}")

cache=${CARGO_TARGET_DIR:-$PWD/target}/previous
programs=$cache/programs/$commit
if [ ! -d "$programs" ]; then
  echo "building $revision ($commit)" >&2
  source=$cache/source
  remove_source() { git worktree remove --force "$source"; }
  trap remove_source EXIT
  [ ! -e "$source" ] || remove_source # left by a killed build
  git worktree add --force --detach "$source" "$commit" >/dev/null
  # Nobody debugs these programs or builds them again.
  (cd "$source" && CARGO_TARGET_DIR=$cache/build CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=false \
    cargo build --locked --workspace --bins)
  mkdir -p "$programs.partial"
  find "$cache/build/debug" -maxdepth 1 -type f -executable -exec ln -f {} "$programs.partial" \;
  mv "$programs.partial" "$programs"
fi

tests/setup/postgres.sh >/dev/null
E2E_PREVIOUS_BIN_DIR=$programs cargo test --locked --package e2e --test suite -- --include-ignored upgrade::
