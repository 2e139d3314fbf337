#!/bin/sh
# packages.sh GROUP…: installs the Debian packages of the groups that are missing, where that is possible.
#   build   what compiling needs        test   what some tests need; without it they say that they were skipped
set -eu

packages() {
    case $1 in
        build) echo "build-essential libpcap-dev pkg-config" ;;
        test)
            echo "bind9-dnsutils chromium chromium-driver curl dnsmasq-base docker-compose freerdp2-x11 iproute2 logrotate nginx"
            echo "openssh-client openssh-server openssl procps prometheus prometheus-alertmanager python3-jsonschema"
            echo "python3-selenium python3-venv systemd tcpdump xdotool xrdp xvfb"
            ;;
        *) echo "packages.sh: unknown group $1" >&2; exit 2 ;;
    esac
}

command -v dpkg-query >/dev/null || { echo "packages.sh: not a Debian system, nothing installed" >&2; exit 0; }

missing=
for group in "$@"; do
    for package in $(packages "$group"); do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null; then as_root=sudo
else echo "packages.sh: missing packages, and no root to install them:$missing" >&2; exit 0
fi
echo "installing:$missing"
# The tests start the programs by themselves; none of the packages' services is wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
available=
for package in $missing; do
    if apt-cache show "$package" >/dev/null 2>&1; then available="$available $package"
    else echo "packages.sh: this release has no $package" >&2
    fi
done
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $available
