#!/bin/sh
# Checks the dependencies' licences, sources and bans, and their advisories where a copy of the RustSec database lies
# in $ADVISORY_DB (a directory for cargo-deny's db-path).
set -eu
cd "$(dirname "$0")/.."
if ! command -v cargo-deny >/dev/null; then
    echo "deny.sh: skipped, cargo-deny is not installed (cargo install --locked cargo-deny)"
    exit 0
fi
cargo fetch --locked --quiet
cargo deny --offline check bans licenses sources
if [ -n "${ADVISORY_DB:-}" ]; then
    mkdir -p target
    sed "s|^#db-path = .*|db-path = \"$ADVISORY_DB\"|" deny.toml > target/deny-advisories.toml
    cargo deny --offline --config target/deny-advisories.toml check advisories
else
    echo "deny.sh: advisories not checked, ADVISORY_DB is not set"
fi
