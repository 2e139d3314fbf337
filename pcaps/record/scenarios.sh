#!/bin/bash
# Records the scenarios that the rules are held to, each with real programs: scenarios.sh NAME FILE
#
# The organisation, as `../spanwatch.yml` describes it: desks in 10.10.1.0/24, the help desk in 10.10.2.0/24, servers in
# 10.10.3.0/24, a VPN gateway at 192.0.2.10 with its clients in 10.20.0.0/24. Everything else is outside.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
scenario=$1 capture=$2

# desks NUMBER…: workstations, mirrored.
desks() { for number in "$@"; do lab_host "desk$number" "10.10.1.$number"; lab_mirror "desk$number"; done; }
# visits DESK NAME…: a desk fetches a page of each name, the servers of which are stood in for by one outside.
visits() {
  local desk=$1; shift
  for name in "$@"; do resolve "$desk" 203.0.113.20 "$name"; fetch "$desk" "$name" 203.0.113.20; done
}
web_outside() {
  lab_host web 203.0.113.20
  serve_web web www.example.org
  on web dnsmasq --no-daemon --no-hosts --no-resolv --port=53 --bind-interfaces --interface=eth0 --address=/#/203.0.113.20 \
    >"$LAB_SCRATCH/dns-web.log" 2>&1 &
  wait_for 5 listens web 53
}
begin() { lab_begin; "$@"; }
record() { lab_record "$capture"; }
# a desk visits these names
web_scenario() { web_outside; desks 21; record; visits desk21 "$@"; lab_stop; }
keep_alive() { openvpn_keys "$@"; serve_openvpn gateway udp --keepalive 1 10 --push 'route 10.10.0.0 255.255.0.0'; }

several-devices-one-address() {
  lab_host house 198.51.100.7; lab_host gateway 192.0.2.10; lab_mirror gateway
  for laptop in 1 2 3; do lab_behind "laptop$laptop" "192.168.77.1$laptop" house; done
  keep_alive laptop1 laptop2 laptop3; record
  for laptop in laptop1 laptop2 laptop3; do join_openvpn "$laptop" "$laptop" 192.0.2.10 udp; done
  sleep 30; lab_stop; "$here/stretch.py" "$capture" 5 30
}
one-device-reconnects() {
  lab_host house 198.51.100.7; lab_host gateway 192.0.2.10; lab_mirror gateway; lab_behind laptop1 192.168.77.11 house
  keep_alive laptop1; record
  for _ in 1 2 3; do
    join_openvpn laptop1 laptop1 192.0.2.10 udp --explicit-exit-notify 1
    sleep 5; pkill -TERM -f "remote 192.0.2.10 1194" || true; sleep 2
  done
  lab_stop; "$here/stretch.py" "$capture" 2 25
}
several-users-one-address() {
  desks 31 32 33; lab_host outside 203.0.113.66
  for desk in 31 32 33; do serve_rdp "desk$desk" tls; done; record
  drive_rdp outside 10.10.1.31:3389 kim 5; drive_rdp outside 10.10.1.32:3389 lee 5; drive_rdp outside 10.10.1.33:3389 park 5
  lab_stop
}
remote-desktop-from-outside() {
  desks 22; lab_host outside 203.0.113.66; serve_rdp desk22 tls; record
  drive_rdp outside 10.10.1.22:3389 kim 6; lab_stop
}
remote-desktop-inside() {
  desks 22; lab_host helpdesk 10.10.2.5; serve_rdp desk22 rdp; record
  drive_rdp helpdesk 10.10.1.22:3389 helpdesk 6 /sec:rdp /client-hostname:HELPDESK-01; lab_stop
}
client-name-from-several-addresses() {
  desks 22; serve_rdp desk22 rdp
  for outside in 203.0.113.66 198.51.100.9 203.0.114.12; do lab_host "outside${outside##*.}" "$outside"; done; record
  for outside in outside66 outside9 outside12; do drive_rdp "$outside" 10.10.1.22:3389 kim 5 /sec:rdp /client-hostname:OP-DESK; done
  lab_stop
}
remote-desktop-from-stranger() {
  desks 21 22; serve_rdp desk22 rdp; record
  drive_rdp desk21 10.10.1.22:3389 kim 5 /sec:rdp /client-hostname:KIMS-PC; lab_stop
}
one-client-many-desktops() {
  desks 21 31 32 33 34 35
  for desk in 31 32 33 34 35; do serve_rdp "desk$desk" tls; done; record
  for desk in 31 32 33 34 35; do drive_rdp desk21 "10.10.1.$desk:3389" kim 4 & done
  sleep 9; lab_stop
}
vnc-without-authentication() { desks 21 22; serve_vnc desk22 51 None; record; drive_vnc desk21 10.10.1.22 desk22 4; lab_stop; }
vnc-with-password() { desks 21 22; serve_vnc desk22 52 VncAuth; record; drive_vnc desk21 10.10.1.22 desk22 4; lab_stop; }
long-remote-desktop() {
  lab_host desk21 10.10.1.21; desks 22; serve_vnc desk22 53 VncAuth; record
  drive_vnc desk21 10.10.1.22 desk22 45 &
  sleep 4
  for step in $(seq 36); do DISPLAY=:53 xdotool mousemove $((100 + step * 5)) 200 type x || true; sleep 1; done
  lab_stop; "$here/stretch.py" "$capture" 4 850
}
ip-kvm-certificate() {
  desks 21; lab_host kvm 10.10.1.99; serve_web kvm pikvm '/O=PiKVM/CN=localhost'; record
  fetch desk21 pikvm 10.10.1.99 --tls-max 1.2; lab_stop
}
self-signed-certificate() {
  desks 21; lab_host printer 10.10.1.98; serve_web printer printer-4 '/O=Example Printers/CN=printer-4'; record
  fetch desk21 printer-4 10.10.1.98 --tls-max 1.2; lab_stop
}
ip-kvm-cloud() { web_scenario api.jetkvm.com; }
ordinary-web() { web_scenario www.example.org www.anydesk.com www.teamviewer.com github.com www.astrill.com; }
reverse-tunnel() { web_scenario connect.ngrok-agent.com; }
two-remote-access-products() { web_scenario relay-3f2b1c.net.anydesk.com router11.teamviewer.com; }
one-remote-access-product() { web_scenario relay-3f2b1c.net.anydesk.com relay-77aa01.net.anydesk.com; }
unsanctioned-remote-access-product() { web_scenario relay-3f2b1c.net.anydesk.com; }
sanctioned-remote-access-product() { web_scenario example.api.splashtop.com; }
consumer-vpn() { web_scenario api.astrill.com; }
overlay-network() { web_scenario controlplane.tailscale.com; }
ssh-from-outside() {
  desks 22; lab_host outside 203.0.113.66; serve_ssh desk22; record; ssh_from outside desk22 10.10.1.22 true; lab_stop
}
ssh-inside() {
  desks 21; lab_host server 10.10.3.20; serve_ssh server; record; ssh_from desk21 server 10.10.3.20 true; lab_stop
}
# Ways through SSH to where the server reaches, each of some connections: a SOCKS proxy and nothing else, a port beside a shell
# in which somebody types, under AES-GCM, and a port by PuTTY.
ssh-forwarding() {
  desks 21 22; lab_host outside 203.0.113.66; web_outside; serve_ssh outside
  local key="$LAB_SCRATCH/ssh-outside/user" to=(root@203.0.113.66) known=()
  local options=(-F none -i "$key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o AddressFamily=inet)
  puttygen "$key" -o "$key.ppk"; known=(-hostkey "$(ssh-keygen -lf "$LAB_SCRATCH/ssh-outside/host.pub" | cut -d' ' -f2)")
  record
  on desk21 ssh "${options[@]}" -N -D 1080 "${to[@]}" & wait_for 8 listens desk21 1080
  { sleep 2; typed 'ls -l /etc/ssh' 'id' 'uname -a' 'cat /etc/services'; sleep 6; typed exit; } |
    on desk21 script -qec "ssh ${options[*]} -c aes256-gcm@openssh.com -tt -L 8443:203.0.113.20:443 ${to[*]}" /dev/null >/dev/null &
  # PuTTY listens on both loopback addresses or on none.
  on desk22 sysctl -qw net.ipv6.conf.lo.disable_ipv6=0
  on desk22 plink -4 -batch -no-antispoof "${known[@]}" -i "$key.ppk" -N -L 127.0.0.1:8443:203.0.113.20:443 "${to[@]}" </dev/null &
  wait_for 8 listens desk21 8443; wait_for 8 listens desk22 8443
  pages() {
    fetch desk21 www.example.org 203.0.113.20 --proxy socks5://127.0.0.1:1080; sleep 0.2
    for desk in desk21 desk22; do on "$desk" curl -sk -o /dev/null --max-time 10 https://127.0.0.1:8443/page; sleep 0.3; done
  }
  pages; pages; pages; pages; sleep 8; pages; sleep 2
  lab_stop; "$here/stretch.py" "$capture" 8 20
}
# What SSH is for besides: a shell, files, source code, one command after the other over one session, windows.
ssh-work() {
  desks 21; lab_host outside 203.0.113.66; serve_ssh outside -o 'Subsystem=sftp internal-sftp' -o X11Forwarding=yes -o AddressFamily=inet
  local dir="$LAB_SCRATCH/work" to=root@203.0.113.66
  local options=(-F none -i "$LAB_SCRATCH/ssh-outside/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
  mkdir -p "$dir/files" "$dir/there"
  for number in $(seq 12); do head -c $((number * 300)) /dev/urandom >"$dir/files/a-report-of-the-department-$number.txt"; done
  git init -q -b main --bare "$dir/code.git"; git clone -q "$dir/code.git" "$dir/code" 2>/dev/null; git -C "$dir/code" checkout -q -B main
  commit() { git -C "$dir/code" -c user.name=dev -c user.email=dev@example.org commit -q --allow-empty -m "$1"; }
  commit first; git -C "$dir/code" push -q origin HEAD:main
  on desk21 Xvfb :77 -screen 0 640x480x16 -nolisten tcp -ac >/dev/null 2>&1 &
  record
  { sleep 1; typed 'ls -l /etc/ssh' 'id'; printf 'test -r /etc/hostname && echo a line that was pasted, of some length\r'; sleep 1
    typed 'top -b -n 1 | head -20' 'vi /etc/services' 'jjjjdd:q!' exit; } |
    on desk21 script -qec "ssh ${options[*]} -o ServerAliveInterval=2 -tt $to" /dev/null >/dev/null
  for cipher in chacha20-poly1305@openssh.com aes256-gcm@openssh.com; do
    printf '%s\n' "cd $dir/there" "put $dir/files/*" 'ls -l' "get * $dir/" 'mkdir x' 'rename x y' 'rmdir y' bye |
      on desk21 sftp -b - "${options[@]}" -c "$cipher" "$to" >/dev/null
  done
  on desk21 scp -q "${options[@]}" "$dir"/files/* "$to:$dir/there"
  export GIT_SSH_COMMAND="ssh ${options[*]}"
  on desk21 git clone -q "ssh://$to$dir/code.git" "$dir/clone"
  for change in second third; do
    commit "$change"; git -C "$dir/code" push -q origin HEAD:main; on desk21 git -C "$dir/clone" pull -q --ff-only
  done
  on desk21 ssh "${options[@]}" -M -S "$dir/control" -N "$to" & wait_for 8 test -S "$dir/control"
  for task in $(seq 8); do
    on desk21 ssh -F none -S "$dir/control" "$to" "mkdir -p $dir/tasks-$task && echo the directory of task $task is there" >/dev/null
    echo "put $dir/files/a-report-of-the-department-$task.txt $dir/tasks-$task/" |
      on desk21 sftp -b - -F none -o ControlPath="$dir/control" "$to" >/dev/null
  done
  DISPLAY=:77 on desk21 timeout 10 ssh "${options[@]}" -Y "$to" 'for _ in 1 2 3 4; do xdpyinfo >/dev/null; done' || true
  # A program that asks in lines and is answered in a word.
  for question in $(seq 12); do echo "test -d /usr/share/doc/of-some-package-$question && echo yes || echo no"; sleep 0.3; done |
    on desk21 ssh "${options[@]}" -T "$to" sh >/dev/null
  sleep 1; lab_stop; "$here/stretch.py" "$capture" 2 6
}
tunnel-to-foreign-gateway() {
  desks 21 23; lab_host gateway 203.0.113.77; openvpn_keys desk21; serve_openvpn gateway udp
  lab_host peer 203.0.113.78; record
  join_openvpn desk21 desk21 203.0.113.77 udp; wireguard_pair peer 203.0.113.78 desk23; sleep 1
  on desk23 ping -c 1 -W 1 10.30.0.1 >/dev/null 2>&1 || on desk23 socat -u OPEN:/dev/null UDP:10.30.0.1:9 || true
  sleep 1; lab_stop
}
tunnel-to-own-gateway() {
  desks 21; lab_host gateway 192.0.2.10; openvpn_keys desk21; serve_openvpn gateway udp; record
  join_openvpn desk21 desk21 192.0.2.10 udp; sleep 2; lab_stop
}

# A laptop does what it does every morning.
at_work() {
  resolve "$1" 10.10.3.20 git.example.com; fetch "$1" git.example.com 10.10.3.20; ssh_from "$1" server 10.10.3.20 true
}
# Three company laptops in one house behind one address, each with a tunnel to the gateway. An operator is let into the
# first by two remote-access products, and drives the other two from there, through the VPN: by RDP, from a machine whose
# name nobody knows, and by VNC. Beside it an honest employee at home. The mirror is on both sides of the gateway.
laptop-farm() {
  lab_host house 198.51.100.7; lab_host home 198.51.100.130
  for laptop in 1 2 3; do lab_behind "laptop$laptop" "192.168.77.1$laptop" house; done
  lab_behind laptop4 192.168.88.11 home
  lab_host server 10.10.3.20; web_outside
  lab_host gateway 192.0.2.10; lab_inside gateway 10.10.0.2 10.20.0.0/24
  lab_mirror gateway; lab_mirror gateway-in
  openvpn_keys laptop1 laptop2 laptop3 laptop4
  static="$LAB_SCRATCH/openvpn/static.key"
  serve_openvpn gateway udp --tls-auth "$static" 0 --keepalive 2 20 --push 'route 10.0.0.0 255.0.0.0' --push 'route 203.0.113.0 255.255.255.0'
  serve_ssh server; serve_web server git.example.com
  serve_names server git.example.com=10.10.3.20 relay-3f2b1c.net.anydesk.com=203.0.113.20 router11.teamviewer.com=203.0.113.20
  serve_rdp laptop2 rdp; serve_vnc laptop3 54 VncAuth
  record
  join_openvpn laptop4 laptop4 192.0.2.10 udp --tls-auth "$static" 1; at_work laptop4
  # Long enough for the sensor to tell whose tunnel an address of the pool came by.
  sleep 11
  for laptop in laptop1 laptop2 laptop3; do join_openvpn "$laptop" "$laptop" 192.0.2.10 udp --tls-auth "$static" 1; done
  for laptop in laptop1 laptop2 laptop3; do at_work "$laptop"; done
  for name in relay-3f2b1c.net.anydesk.com router11.teamviewer.com; do
    resolve laptop1 10.10.3.20 "$name"; fetch laptop1 "$name" 203.0.113.20
  done
  drive_rdp laptop1 10.20.0.4:3389 park 12 /sec:rdp /client-hostname:OP-DESK &
  drive_vnc laptop1 10.20.0.5 laptop3 10
  sleep 30
  fetch laptop4 git.example.com 10.10.3.20
  sleep 1; lab_stop; "$here/stretch.py" "$capture" 44 30
}

begin "$scenario"
