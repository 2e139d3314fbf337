# A laboratory of network namespaces on one machine: hosts, a router, and a mirror port whose other end is a sensor.
# Sourced by the scenario scripts beside it; needs root and iproute2, nftables, tcpdump.
#
#   lab_begin            the router `isp` and the sensor's namespace, joined by a mirror port
#   lab_host NAME ADDR   a host behind its own router interface; ADDR/24, gateway .1 of its network
#   lab_mirror NAME      mirror both directions of that host's router interface
#   lab_record FILE      capture what the mirror port delivers; lab_stop ends it
#   on NAME CMD…         run a command inside a host
#   lab_end              end what still runs and remove everything
#
# Addresses are those set aside for documentation (RFC 5737, RFC 3849).
set -euo pipefail

LAB=${LAB:-swlab}
LAB_HOSTS=()
LAB_SCRATCH=$(mktemp -d)
LAB_RECORDER=

ns() { echo "$LAB-$1"; }
on() { local host=$1; shift; ip netns exec "$(ns "$host")" "$@"; }

lab_namespace() {
  ip netns add "$(ns "$1")"
  ip -n "$(ns "$1")" link set lo up
  # A quiet host: no router solicitations, no multicast reports of its own.
  on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  LAB_HOSTS+=("$1")
}

lab_begin() {
  trap lab_end EXIT
  lab_namespace isp
  lab_namespace sensor
  on isp sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
  ip -n "$(ns isp)" link add span0 type veth peer name mirror0 netns "$(ns sensor)"
  ip -n "$(ns isp)" link set span0 up
  on sensor sysctl -qw net.ipv6.conf.mirror0.disable_ipv6=1
  ip -n "$(ns sensor)" link set mirror0 up promisc on
}

# The same address has the same MAC in every recording: locally administered, the IPv4 address in its last bytes.
lab_mac() { local IFS=.; set -- $1; printf '02:5a:%02x:%02x:%02x:%02x' "$@"; }

# lab_host NAME ADDRESS: the router takes .1 of the address's /24.
lab_host() {
  local name=$1 address=$2 gateway="${2%.*}.1"
  lab_namespace "$name"
  ip -n "$(ns isp)" link add "to-$name" address "$(lab_mac "$gateway")" type veth \
    peer name eth0 address "$(lab_mac "$address")" netns "$(ns "$name")"
  on "$name" ip addr add "$address/24" dev eth0
  on "$name" ip link set eth0 up
  on isp ip addr add "$gateway/32" dev "to-$name"
  on isp ip link set "to-$name" up
  on isp ip route add "$address/32" dev "to-$name"
  on isp sysctl -qw "net.ipv4.conf.to-$name.proxy_arp=1"
  on "$name" ip route add default via "$gateway"
}

# lab_inside NAME ADDRESS POOL: a second interface of a gateway, towards the inside, where its clients' network is reached.
# What comes out of its tunnels goes there, so that the router sees it.
lab_inside() {
  local name=$1 address=$2 pool=$3 gateway="${2%.*}.1"
  ip -n "$(ns isp)" link add "to-$name-in" address "$(lab_mac "$gateway")" type veth \
    peer name in0 address "$(lab_mac "$address")" netns "$(ns "$name")"
  on "$name" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.in0.rp_filter=0
  on "$name" ip addr add "$address/24" dev in0
  on "$name" ip link set in0 up
  on "$name" ip rule add iif in0 lookup main pref 90
  on "$name" ip rule add from "$pool" lookup 100 pref 100
  on "$name" ip route add default via "$gateway" table 100
  on isp ip addr add "$gateway/32" dev "to-$name-in"
  on isp ip link set "to-$name-in" up
  on isp ip route add "$address/32" dev "to-$name-in"
  on isp ip route add "$pool" via "$address" dev "to-$name-in" onlink
}

# lab_behind NAME ADDRESS NAT: a host on the inside network of a host that translates addresses for it.
lab_behind() {
  local name=$1 address=$2 nat=$3 gateway="${2%.*}.1"
  if ! ip -n "$(ns "$nat")" link show lan0 >/dev/null 2>&1; then
    on "$nat" sysctl -qw net.ipv4.ip_forward=1
    ip -n "$(ns "$nat")" link add lan0 type bridge
    on "$nat" ip addr add "$gateway/24" dev lan0
    on "$nat" ip link set lan0 up
    on "$nat" nft add table ip nat
    on "$nat" nft add chain ip nat out '{ type nat hook postrouting priority 100; }'
    on "$nat" nft add rule ip nat out oif eth0 masquerade
    on "$nat" nft add chain ip nat in '{ type nat hook prerouting priority -100; }'
  fi
  lab_namespace "$name"
  ip -n "$(ns "$nat")" link add "to-$name" type veth peer name eth0 address "$(lab_mac "$address")" netns "$(ns "$name")"
  ip -n "$(ns "$nat")" link set "to-$name" master lan0 up
  on "$name" ip addr add "$address/24" dev eth0
  on "$name" ip link set eth0 up
  on "$name" ip route add default via "$gateway"
}

# lab_forward NAT PORT ADDRESS:PORT: a port of the translating host leads to a host behind it.
lab_forward() { on "$1" nft add rule ip nat in iif eth0 tcp dport "$2" dnat to "$3"; }

lab_mirror() {
  local dev="to-$1"
  on isp tc qdisc add dev "$dev" clsact
  for way in ingress egress; do
    on isp tc filter add dev "$dev" "$way" protocol all u32 match u8 0 0 action mirred egress mirror dev span0
  done
}

lab_record() {
  ip netns exec "$(ns sensor)" tcpdump -Z root -q -U -s 0 -B 16384 -i mirror0 -w "$1" 2>"$LAB_SCRATCH/tcpdump.log" &
  LAB_RECORDER=$!
  for _ in $(seq 50); do grep -qs listening "$LAB_SCRATCH/tcpdump.log" && return; sleep 0.1; done
  cat "$LAB_SCRATCH/tcpdump.log" >&2; return 1
}

# The kernel hands a ring's block over after a second at the latest.
lab_stop() { sleep 1.6; kill -TERM "$LAB_RECORDER"; wait "$LAB_RECORDER" || true; LAB_RECORDER=; }

# wait_for SECONDS CMD…: until the command succeeds.
wait_for() {
  local tries=$(($1 * 5)); shift
  for _ in $(seq "$tries"); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  echo "waited in vain for: $*" >&2; return 1
}
listens() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

lab_end() {
  trap - EXIT
  [ -z "$LAB_RECORDER" ] || kill -TERM "$LAB_RECORDER" 2>/dev/null || true
  for host in "${LAB_HOSTS[@]}"; do ip netns pids "$(ns "$host")" 2>/dev/null | xargs -r kill 2>/dev/null || true; done
  sleep 0.5
  for host in "${LAB_HOSTS[@]}"; do
    ip netns pids "$(ns "$host")" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns del "$(ns "$host")" 2>/dev/null || true
  done
  rm -rf "$LAB_SCRATCH"
}

# lab_certificate FOLDER NAME [SUBJECT]: self-signed, as key.pem and cert.pem.
lab_certificate() {
  mkdir -p "$1"
  openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj "${3:-/CN=$2}" -addext "subjectAltName=DNS:$2" \
    -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
}
