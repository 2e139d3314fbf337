#!/bin/bash
# Records real VPNs: OpenVPN over UDP and TCP, bare, under tls-auth and under tls-crypt; wireguard-go; strongSwan with
# IKEv2 through a NAT. A page is fetched through each. Writes the capture named by $1.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
lab_begin
lab_host home 203.0.113.7
for laptop in 11 12 13 14 15 16; do lab_behind "laptop$laptop" "192.168.77.$laptop" home; done
for gateway in 1 2 3 4 5 6; do lab_host "gate$gateway" "192.0.2.1$gateway"; done
lab_mirror home
openvpn_keys laptop
static="$LAB_SCRATCH/openvpn/static.key"
lab_record "$1"
through() { fetch "$1" intranet.example.com "$2"; }
tunnel() {
  local laptop=$1 gate=$2 address=$3 proto=$4; shift 4
  serve_openvpn "$gate" "$proto" "${@/KEYDIR/0}"; join_openvpn "$laptop" laptop "$address" "${proto/server/client}" "${@/KEYDIR/1}"
  serve_web "$gate" intranet.example.com; through "$laptop" 10.20.0.1
}
tunnel laptop11 gate1 192.0.2.11 udp
tunnel laptop12 gate2 192.0.2.12 tcp-server
tunnel laptop13 gate3 192.0.2.13 udp --tls-auth "$static" KEYDIR
tunnel laptop14 gate4 192.0.2.14 udp --tls-crypt "$static"
serve_web gate5 intranet.example.com; wireguard_pair gate5 192.0.2.15 laptop15; through laptop15 10.30.0.1
serve_web gate6 intranet.example.com; ike_gateway gate6 192.0.2.16; ike_join laptop16 192.168.77.16 192.0.2.16
through laptop16 10.41.0.1
lab_stop
