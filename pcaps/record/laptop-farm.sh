#!/bin/bash
# Records a small laptop farm. Three company laptops stand in one house behind one address; each holds a VPN tunnel to
# the company's gateway, and an operator abroad drives them by RDP and VNC through ports of the house's router. Beside
# it an honest employee at home: one tunnel, web, names, SSH. The mirror is on the access router of both homes.
# Runs for seven minutes, as tunnels count as standing side by side after five. Writes the capture named by $1.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
lab_begin
lab_host operator 203.0.113.66
lab_host house 198.51.100.7
for laptop in 1 2 3; do lab_behind "laptop$laptop" "192.168.77.1$laptop" house; done
lab_host home 198.51.100.130
lab_behind laptop4 192.168.88.11 home
lab_host gateway 192.0.2.10
lab_host server 192.0.2.20
lab_forward house 3389 192.168.77.11:3389
lab_forward house 3390 192.168.77.12:3389
lab_forward house 5900 192.168.77.13:5900
lab_mirror house; lab_mirror home
static="$LAB_SCRATCH/openvpn/static.key"
openvpn_keys laptop1 laptop2 laptop3 laptop4
serve_openvpn gateway udp --tls-auth "$static" 0
serve_ssh server; serve_web server git.example.com
serve_names server git.example.com=192.0.2.20 vpn.example.com=192.0.2.10 relay-3f2b.net.anydesk.com=192.0.2.20
serve_rdp laptop1 tls; serve_rdp laptop2 rdp; serve_vnc laptop3 41 VncAuth
lab_record "$1"
for laptop in laptop1 laptop2 laptop3 laptop4; do
  resolve "$laptop" 192.0.2.20 vpn.example.com
  join_openvpn "$laptop" "$laptop" 192.0.2.10 udp --tls-auth "$static" 1 --route-nopull
done
for laptop in laptop1 laptop2 laptop3 laptop4; do
  resolve "$laptop" 192.0.2.20 git.example.com; fetch "$laptop" git.example.com 192.0.2.20
  ssh_from "$laptop" server 192.0.2.20 true
done
drive_rdp operator 198.51.100.7:3389 kim 20 /client-hostname:OP-DESK &
drive_rdp operator 198.51.100.7:3390 park 20 /sec:rdp /client-hostname:OP-DESK &
sleep 2
drive_vnc operator 198.51.100.7 laptop3 15
# The same machine takes a second remote-access product: the name and the first bytes of AnyDesk's relay.
resolve laptop1 192.0.2.20 relay-3f2b.net.anydesk.com
fetch laptop1 relay-3f2b.net.anydesk.com 192.0.2.20
for _ in $(seq "${LAB_MINUTES:-6}"); do
  sleep 58
  fetch laptop4 git.example.com 192.0.2.20; fetch laptop2 git.example.com 192.0.2.20
done
lab_stop
