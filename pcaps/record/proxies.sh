#!/bin/bash
# Records ways out and ways in by a third machine, each with a real server and client: proxies.sh FILE
#
# The desk at 10.10.1.21 fetches a page through SOCKS (4 and 5), through HTTP CONNECT, through SSH's dynamic forwarding and
# through Shadowsocks; lets somebody outside in by SSH's remote forwarding, who then types in a shell of the desk; and shows
# its screen to a browser by noVNC.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
capture=$1; work="$LAB_SCRATCH"

lab_begin
lab_host desk21 10.10.1.21; lab_mirror desk21
lab_host outside 203.0.113.80; lab_host web 203.0.113.20
serve_web web www.example.org; serve_ssh outside; serve_ssh desk21

cat >"$work/dante.conf" <<CONF
errorlog: $work/dante.log
internal: eth0 port = 1080
external: eth0
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: root
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
CONF
on outside danted -f "$work/dante.conf" -p "$work/dante.pid" >/dev/null 2>&1 & wait_for 8 listens outside 1080
serve_squid outside 3128 'http_port 3128'
on outside ss-server -s 203.0.113.80 -p 8388 -k laboratory -m chacha20-ietf-poly1305 >"$work/ss-server.log" 2>&1 & wait_for 8 listens outside 8388
on desk21 ss-local -s 203.0.113.80 -p 8388 -l 1090 -k laboratory -m chacha20-ietf-poly1305 >"$work/ss-local.log" 2>&1 & wait_for 8 listens desk21 1090

page() { fetch desk21 www.example.org 203.0.113.20 "$@" || echo "no page through $*" >&2; }
ssh_options=(-F none -i "$work/ssh-outside/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
lab_record "$capture"
page --proxy socks5://203.0.113.80:1080
page --proxy socks4://203.0.113.80:1080
page --proxy http://203.0.113.80:3128
page --proxy socks5://127.0.0.1:1090
on desk21 ssh "${ssh_options[@]}" -N -D 1091 root@203.0.113.80 & wait_for 8 listens desk21 1091
for _ in 1 2 3; do page --proxy socks5://127.0.0.1:1091; done
on desk21 ssh "${ssh_options[@]}" -N -R 2222:127.0.0.1:22 root@203.0.113.80 & wait_for 8 listens outside 2222
# Somebody outside types in the desk's shell, through the reverse tunnel.
{ sleep 1; for line in 'ls' 'id' 'uname -a' 'cat /etc/hostname'; do
    for ((i = 0; i < ${#line}; i++)); do printf '%s' "${line:i:1}"; sleep 0.15; done; printf '\n'; sleep 0.8
  done; echo exit; } | on outside script -qec "ssh -F none -i $work/ssh-desk21/user -p 2222 -o StrictHostKeyChecking=no \
  -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -tt root@127.0.0.1 'PS1=\"\$ \" sh'" /dev/null >"$work/reverse.log" 2>&1 || true
# A desktop in the browser: RFB over WebSocket.
on desk21 Xtigervnc :66 -geometry 320x240 -depth 16 -rfbport 5900 -localhost=1 -SecurityTypes None >/dev/null 2>&1 & wait_for 8 listens desk21 5900
on desk21 websockify --web /usr/share/novnc 6080 127.0.0.1:5900 >"$work/websockify.log" 2>&1 & wait_for 8 listens desk21 6080
on outside timeout 12 chromium --headless=new --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$work/chromium" \
  --remote-debugging-port=0 'http://10.10.1.21:6080/vnc_lite.html?scale=true' >"$work/chromium.log" 2>&1 || true
lab_stop
cat "$work/reverse.log" >&2
