#!/bin/bash
# Records three ways to a machine elsewhere, each with a real server and client: nebula-anyconnect-spice.sh FILE
#
# The desk at 10.10.1.22 joins a Nebula network by its lighthouse, takes the tunnel of an ocserv with openconnect (TLS, then
# DTLS), and sees the screen of a virtual machine by SPICE.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"
capture=$1; work="$LAB_SCRATCH"

lab_begin
lab_host desk22 10.10.1.22; lab_mirror desk22
lab_host lighthouse 203.0.113.42; lab_host gateway 203.0.113.43; lab_host qemu 203.0.113.44

(cd "$work" && nebula-cert ca -name 'Example Overlay' && nebula-cert sign -name lighthouse -ip 10.77.0.1/24 &&
  nebula-cert sign -name desk-22 -ip 10.77.0.2/24) >/dev/null
nebula_node() {
  local name=$1 address=$2 port=$3 is_lighthouse=$4 hosts=$5
  cat >"$work/$name.yml" <<CONF
pki: {ca: $work/ca.crt, cert: $work/$name.crt, key: $work/$name.key}
static_host_map: {"10.77.0.1": ["203.0.113.42:4242"]}
lighthouse: {am_lighthouse: $is_lighthouse, hosts: [$hosts]}
listen: {host: $address, port: $port}
tun: {disabled: true}
firewall: {outbound: [{port: any, proto: any, host: any}], inbound: [{port: any, proto: any, host: any}]}
CONF
}
nebula_node lighthouse 203.0.113.42 4242 true ''
nebula_node desk-22 10.10.1.22 41777 false '"10.77.0.1"'
on lighthouse nebula -config "$work/lighthouse.yml" >"$work/lighthouse.log" 2>&1 &

lab_certificate "$work/tls" vpn.example.com
printf 'laboratory\nlaboratory\n' | ocpasswd -c "$work/users" ann
cat >"$work/ocserv.conf" <<CONF
auth = "plain[passwd=$work/users]"
tcp-port = 443
udp-port = 443
run-as-user = nobody
run-as-group = daemon
socket-file = $work/ocserv.sock
isolate-workers = false
server-cert = $work/tls/cert.pem
server-key = $work/tls/key.pem
device = vpns
ipv4-network = 10.78.0.0
ipv4-netmask = 255.255.255.0
max-clients = 4
max-same-clients = 2
cookie-timeout = 60
dpd = 90
CONF
chmod a+rx "$work" && chmod -R a+r "$work/tls"
on gateway ocserv -f -c "$work/ocserv.conf" -p "$work/ocserv.pid" >"$work/ocserv.log" 2>&1 & wait_for 10 listens gateway 443
on qemu qemu-system-x86_64 -S -m 16 -display none -device qxl-vga -spice port=5930,disable-ticketing=on >"$work/qemu.log" 2>&1 &
wait_for 20 listens qemu 5930

lab_record "$capture"
on desk22 timeout 6 nebula -config "$work/desk-22.yml" >"$work/desk-22.log" 2>&1 || true
pin=$(openssl x509 -in "$work/tls/cert.pem" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
echo laboratory | on desk22 timeout -s INT 8 openconnect --user=ann --passwd-on-stdin --servercert="pin-sha256:$pin" \
  --script=/bin/true --interface=tun22 203.0.113.43 >"$work/openconnect.log" 2>&1 || true
grep -q 'DTLS handshake\|Established DTLS' "$work/openconnect.log" || cat "$work/openconnect.log" "$work/ocserv.log" >&2
on desk22 timeout 8 spicy-screenshot -h 203.0.113.44 -p 5930 -o "$work/screen.ppm" >"$work/spicy.log" 2>&1 || cat "$work/spicy.log" >&2
lab_stop
