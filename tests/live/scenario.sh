#!/bin/bash
# Real programs on a network whose mirror port is watched by two sensors, a recorder and Prometheus at the same time.
#
#   scenario.sh SPANWATCH RULES OUT
#
# OUT holds one/spanwatch.yml and two/spanwatch.yml, sensors that answer on the ports 9787 and 9788. Beside those are left
# the events, alerts, log and exit code of each, the capture of what both saw, what Prometheus answered, and link.json, the
# counters of the mirror port. Where this machine cannot play the scenario, the exit code is 77 and OUT/why tells.
spanwatch=$1 rules=$2 out=$3
PATH=$PATH:/usr/sbin:/sbin
LAB=swlive$$

skip() { echo "$*" >"$out/why"; exit 77; }
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
for program in curl dig dnsmasq ip nginx openssl prometheus ssh sshd sysctl tc tcpdump xdotool xfreerdp xrdp Xvfb; do
  command -v "$program" >/dev/null || skip "$program is not installed; scripts/packages.sh test installs what is missing"
done
# The root of a container may not be let.
try_out() {
  ip netns add "$LAB-try" && ip -n "$LAB-try" link add span0 type veth peer name mirror0 \
    && ip netns exec "$LAB-try" sysctl -qw net.ipv4.ip_forward=1 && ip netns exec "$LAB-try" tc qdisc add dev span0 clsact \
    && ip netns exec "$LAB-try" tc filter add dev span0 ingress protocol all u32 match u8 0 0 \
      action mirred egress mirror dev mirror0 \
    && unshare -m mount -t tmpfs none /run
}
refused=$(try_out 2>&1) && able=yes || able=
ip netns del "$LAB-try" 2>/dev/null || true
[ "$able" ] || skip "no mirror port can be set up: $refused"

record=$(cd "$(dirname "$0")/../../pcaps/record" && pwd); . "$record/lab.sh"; . "$record/services.sh"
set -E; trap 'echo "failed in line $LINENO: $BASH_COMMAND" >&2' ERR
# X displays are the machine's, and other laboratories may be at work on it.
echo $((100 + $$ % 10000)) >"$LAB_SCRATCH/display"

declare -A sensors
watch() {
  local name=$1 port=$2
  (cd "$out/$name" && exec ip netns exec "$(ns sensor)" "$spanwatch" --log-format json run --config spanwatch.yml \
    --rules "$rules" --interface mirror0) >"$out/$name/log" 2>&1 &
  sensors[$name]=$!
  wait_for 10 on sensor curl -sf "127.0.0.1:$port/-/ready"
}
# unwatch NAME: ends the sensor, and leaves its exit code.
unwatch() {
  local code=0
  kill -TERM "${sensors[$1]}"
  wait "${sensors[$1]}" || code=$?
  echo "$code" >"$out/$1/code"
}

scrape() {
  local dir="$LAB_SCRATCH/prometheus"; mkdir "$dir"
  cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: spanwatch
    static_configs: [{targets: ["127.0.0.1:9787", "127.0.0.1:9788"]}]
YAML
  on sensor prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --web.listen-address=127.0.0.1:9090 >"$dir/log" 2>&1 &
  wait_for 15 listens sensor 9090
}
query() { on sensor curl -sf --max-time 5 --data-urlencode "query=$1" 127.0.0.1:9090/api/v1/query; }
scraped_from_both() { query "count($1) == 2" | grep -q '"value"'; }

lab_begin
lab_host desk 10.10.1.22; lab_host outside 203.0.113.66; lab_host web 203.0.113.20
lab_mirror desk
serve_rdp desk tls; serve_ssh desk; serve_web web www.example.org; serve_names web www.example.org=203.0.113.20
scrape; lab_record "$out/capture.pcap"; watch one 9787; watch two 9788

drive_rdp outside 10.10.1.22:3389 kim 6 & rdp=$!
ssh_from outside desk 10.10.1.22 true
resolve desk 203.0.113.20 www.example.org
fetch desk www.example.org 203.0.113.20 --tls-max 1.2
fetch desk www.example.org 203.0.113.20 --tlsv1.3
fetch desk relay-3f2b1c.net.anydesk.com 203.0.113.20
wait "$rdp"
# The end of a connection is told a while after it, and in a replay only if another frame tells that time came so far.
sleep 4
resolve desk 203.0.113.20 www.example.org

wait_for 10 scraped_from_both 'spanwatch_sessions_total{protocol="dns"} == 2'
sleep 1
for metric in up spanwatch_packets_total spanwatch_sessions_total; do query "$metric" >"$out/$metric.json"; done
unwatch one; unwatch two
lab_stop
on sensor ip -s -j link show mirror0 >"$out/link.json"
