#!/bin/bash
# Records two browsers: browsers.sh FILE
#
# The desk at 10.10.1.24 opens a page in Chromium and in Firefox, by TLS with a certificate that nobody knows and without TLS.
# What else a browser with a fresh profile asks for, the resolver does not know.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
capture=$1; work="$LAB_SCRATCH"

lab_begin
lab_host desk24 10.10.1.24; lab_mirror desk24
lab_host web 203.0.113.20; lab_host names 10.10.3.53
serve_web web www.example.org; serve_names names www.example.org=203.0.113.20
echo 'nameserver 10.10.3.53' >"$work/resolv.conf"; chmod a+r "$work/resolv.conf"
browse() {
  on desk24 timeout 40 unshare -m env HOME="$work" sh -c 'mount --bind "$HOME/resolv.conf" /etc/resolv.conf
    mount -t tmpfs none /dev/shm; exec "$@"' browse "$@" >>"$work/browsers.log" 2>&1 || true
}

lab_record "$work/all.pcap"
for page in https://www.example.org/page http://www.example.org/page; do
  browse chromium --headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
    --user-data-dir="$work/chromium" --timeout=4000 --dump-dom "$page"
done
for page in https://www.example.org/page http://www.example.org/page; do
  mkdir -p "$work/firefox"
  browse firefox-esr --headless --no-remote --profile "$work/firefox" --screenshot "$work/page.png" "$page"
done
lab_stop
# Hundreds of questions that nobody answers are nothing to keep.
tcpdump -Z root -r "$work/all.pcap" -w "$capture" 'not udp port 53' 2>/dev/null
