#!/bin/bash
# Records an ordinary day at an office: leases, names, web, SSH out to a server, one home worker on OpenVPN, and the help
# desk on a colleague's screen by RDP from inside. Writes the capture named by $1.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
lab_begin
for desk in 21 22; do lab_host "desk$desk" "10.10.1.$desk"; done
lab_host helpdesk 10.10.2.5
lab_host server 192.0.2.20
lab_host gateway 192.0.2.10
lab_host home 203.0.113.7
lab_behind laptop 192.168.77.11 home
lab_mirror desk21; lab_mirror desk22; lab_mirror home
serve_dhcp isp 10.10.1.0
serve_ssh server; serve_web server intranet.example.com
serve_names server intranet.example.com=192.0.2.20 www.example.org=192.0.2.20
openvpn_keys laptop
lab_record "$1"
lease desk21 ws-21 'MSFT 5.0'; lease desk22 ws-22 'MSFT 5.0'
for desk in desk21 desk22; do
  resolve "$desk" 192.0.2.20 intranet.example.com; resolve "$desk" 192.0.2.20 www.example.org AAAA
  fetch "$desk" intranet.example.com 192.0.2.20; fetch "$desk" www.example.org 192.0.2.20 --tls-max 1.2
done
ssh_from desk21 server 192.0.2.20 true
serve_openvpn gateway udp --tls-crypt "$LAB_SCRATCH/openvpn/static.key"
join_openvpn laptop laptop 192.0.2.10 udp --tls-crypt "$LAB_SCRATCH/openvpn/static.key"
serve_rdp desk22 tls; drive_rdp helpdesk 10.10.1.22:3389 helpdesk 7 /client-hostname:HELPDESK-01
lab_stop
