#!/bin/bash
# Replays whole captures, events off, and compares the CPU time with that of floor programs on the same files in the same
# run: user + system time, the least of a few runs each, taken in turns because machines are noisy.
#
#   benches/replay.sh DIR [RUNS [SPANWATCH]]
#
# DIR holds mix.pcap (broad, short flows), short.pcap (a million flows of a few packets), bulk.pcap (few flows, full-size
# segments) and floor_flow, a program that parses and hashes each packet behind libpcap and prints `pkts N …`.
# Needs GNU time (Debian: time). Ends with 1 where a bar is missed.
set -euo pipefail

dir=${1:?usage: benches/replay.sh DIR [RUNS [SPANWATCH]]}
runs=${2:-3}
spanwatch=${3:-$(dirname "$0")/../target/release/spanwatch}
[ -x "$spanwatch" ] || { echo "$spanwatch is missing: cargo build --release" >&2; exit 2; }

measured=$(mktemp)
trap 'rm -f "$measured"' EXIT

# Runs a command and prints its CPU milliseconds and peak memory in kB.
cost() {
    /usr/bin/time -o "$measured" -f '%U %S %M' "$@" >/dev/null 2>&1
    awk 'END { printf "%d %d\n", ($1 + $2) * 1000, $3 }' "$measured"
}

missed=0
printf '%-6s %9s %10s %10s %7s %5s %9s\n' capture packets 'floor ns' 'replay ns' ratio bar 'peak MB'
for entry in mix:4 short:4 bulk:2; do
    capture=${entry%:*} bar=${entry#*:} file=$dir/${entry%:*}.pcap
    packets=$("$dir/floor_flow" "$file" pcap 1 | awk '{ print $2 }')
    floor='' replay='' peak=0
    for _ in $(seq "$runs"); do
        read -r cpu _ < <(cost "$dir/floor_flow" "$file" pcap 1)
        [ -n "$floor" ] && [ "$floor" -le "$cpu" ] || floor=$cpu
        read -r cpu memory < <(cost "$spanwatch" replay --shards 1 "$file")
        [ -n "$replay" ] && [ "$replay" -le "$cpu" ] || replay=$cpu
        [ "$peak" -ge "$memory" ] || peak=$memory
    done
    awk -v capture="$capture" -v packets="$packets" -v floor="$floor" -v replay="$replay" -v bar="$bar" -v peak="$peak" '
        BEGIN {
            printf "%-6s %9d %10.0f %10.0f %7.2f %5d %9.0f\n", capture, packets, floor * 1e6 / packets,
                replay * 1e6 / packets, replay / floor, bar, peak / 1000
            exit !(replay <= bar * floor && (capture != "short" || peak < 500000))
        }' || missed=1
done
exit "$missed"
