#!/bin/bash
# Records real remote desktops: xrdp under TLS and under standard RDP security with FreeRDP, TigerVNC without a password,
# with one, and under TLS. Writes the capture named by $1.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
lab_begin
lab_host viewer 203.0.113.66
for desktop in 11 12 21 22 23; do lab_host "desk$desktop" "192.0.2.$desktop"; done
lab_mirror viewer
lab_record "$1"
serve_rdp desk11 tls;  drive_rdp viewer 192.0.2.11:3389 kim 8 /client-hostname:WS-KIM
serve_rdp desk12 rdp;  drive_rdp viewer 192.0.2.12:3389 lee 8 /sec:rdp /client-hostname:WS-LEE
serve_vnc desk21 31 None;    drive_vnc viewer 192.0.2.21 desk21 5
serve_vnc desk22 32 VncAuth; drive_vnc viewer 192.0.2.22 desk22 5
serve_vnc desk23 33 TLSVnc;  drive_vnc viewer 192.0.2.23 desk23 5 -SecurityTypes TLSVnc
lab_stop
