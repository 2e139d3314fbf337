#!/bin/bash
# A house full of company laptops, and the same without the farm, with real desktops and real hands: house.sh NAME FILE
#
#   house-farm    three laptops in one house, each on the company's VPN. Each shows its screen to one operator, who sits
#                 behind a WireGuard tunnel and a relay that adds 150 ms, types on one after the other, and signs in as all
#                 three. The third has a jiggler while nobody looks at it. Two honest employees at home beside it.
#   house-honest  two employees of one family in one house, the help desk on the screen of one of them, and a colleague
#                 at home: everybody types for themselves.
#
# The gateway accounts its tunnels to FreeRADIUS. The mirror is on both sides of the gateway and before the sign-on page.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
scenario=$1 capture=$2 length=${3:-345}
work="$LAB_SCRATCH"

# The servers: sign-on for everybody, git and chat for those inside, RADIUS for the gateway.
company() {
  lab_host gateway 192.0.2.10; lab_inside gateway 10.10.0.2 10.20.0.0/24
  on gateway ip route add 10.10.0.0/16 via 10.10.0.1 dev in0 onlink
  lab_host server 10.10.3.20; lab_host accounts 10.10.3.10; lab_host portal 192.0.2.20
  serve_ssh server; serve_web server git.example.com; serve_web portal sso.example.com
  serve_names server git.example.com=10.10.3.20 chat.example.com=10.10.3.20 sso.example.com=192.0.2.20
  for web in server portal; do head -c 600 /dev/zero >"$work/web-$web/page"; done
  serve_accounts accounts 10.10.0.2
  lab_mirror gateway; lab_mirror gateway-in; lab_mirror portal
}

# serve_accounts HOST CLIENT: FreeRADIUS that takes accounting from the gateway.
serve_accounts() {
  local dir="$work/radius"; cp -r /etc/freeradius/3.0 "$dir"
  printf 'client gateway {\n ipaddr = %s\n secret = laboratory\n}\n' "$2" >>"$dir/clients.conf"
  sed -i -e 's/^\tuser = .*//' -e 's/^\tgroup = .*//' "$dir/radiusd.conf"
  on "$1" freeradius -f -d "$dir" -l "$dir/log" >"$dir/out" 2>&1 &
  wait_for 8 grep -q 'Ready to process' "$dir/log"
  cat >"$work/account.sh" <<'ACCOUNT'
#!/bin/sh
# Called by OpenVPN when a client has its address and when it leaves.
case $script_type in client-connect) status=Start;; *) status=Stop;; esac
radclient -x 10.10.3.10:1813 acct laboratory >>"${0%.sh}.log" 2>&1 <<RADIUS
Acct-Status-Type = $status
Acct-Session-Id = "$common_name-$trusted_port"
User-Name = "$common_name"
NAS-IP-Address = 192.0.2.10
NAS-Port-Type = Virtual
Service-Type = Framed-User
Framed-IP-Address = $ifconfig_pool_remote_ip
Calling-Station-Id = "$trusted_ip"
Tunnel-Client-Endpoint = "$trusted_ip"
RADIUS
exit 0
ACCOUNT
  chmod +x "$work/account.sh"
}

# tunnel LAPTOP USER
tunnel() { join_openvpn "$1" "$2" 192.0.2.10 udp --tls-auth "$static" 1 --explicit-exit-notify 1; }

# desktop LAPTOP DISPLAY: a screen with a terminal that is logged on to the server, and a presence client on it.
desktop() {
  local host=$1 display=$2
  on "$host" Xtigervnc ":$display" -geometry 320x240 -depth 16 -rfbport 5900 -localhost=1 -SecurityTypes None -desktop "$host" \
    >"$work/vnc-$host.log" 2>&1 &
  wait_for 8 listens "$host" 5900
  DISPLAY=":$display" on "$host" xterm -geometry 50x16+0+0 -e ssh -F none -i "$work/ssh-server/user" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@10.10.3.20 -t 'PS1="$ " sh' >/dev/null 2>&1 &
  presence "$host" "$display" &
}

# presence LAPTOP DISPLAY: tells the chat server that somebody is there, at most every 20 s, when there was input.
presence() {
  while sleep 4; do
    idle=$(DISPLAY=":$2" on "$1" xprintidle 2>/dev/null) || return 0
    [ "$idle" -gt 4500 ] && continue
    fetch "$1" chat.example.com 10.10.3.20 -X POST -d active || true; sleep 16
  done
}

# pause LEAST MOST: milliseconds, as hands do.
pause() { sleep "$(awk -v low="$1" -v high="$2" -v seed="$RANDOM" 'BEGIN { srand(seed); print (low + rand() * (high - low)) / 1000 }')"; }

# hands HOST DISPLAY SECONDS: types short commands with a human's gaps and looks at pages, on that screen.
hands() {
  local host=$1 display=$2 until=$((SECONDS + $3)) line
  while [ "$SECONDS" -lt "$until" ]; do
    for line in 'ls' 'git log' 'cat notes' 'make test' 'vi main.c'; do
      [ "$SECONDS" -lt "$until" ] || return 0
      for ((i = 0; i < ${#line}; i++)); do
        DISPLAY=":$display" on "$host" xdotool mousemove $((200 + RANDOM % 80)) $((150 + RANDOM % 50)) type "${line:i:1}" 2>/dev/null || true; pause 80 300
      done
      DISPLAY=":$display" on "$host" xdotool key Return 2>/dev/null || true; pause 3000 9000
    done
  done
}
# looks LAPTOP SECONDS: looks a page up and fetches it now and then.
looks() {
  local until=$((SECONDS + $2))
  while [ "$SECONDS" -lt "$until" ]; do
    resolve "$1" 10.10.3.20 git.example.com; fetch "$1" git.example.com 10.10.3.20; pause 15000 50000
  done
}

# The exit of the operator's tunnel: a relay that hands every connection on, 75 ms later in each direction.
relay() {
  cat >"$work/relay.py" <<'RELAY'
import asyncio, sys
async def pump(reader, writer):
    loop, queue = asyncio.get_running_loop(), asyncio.Queue()
    async def deliver():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not data:
                break
            writer.write(data)
        writer.close()
    delivery = asyncio.create_task(deliver())
    while True:
        try:
            data = await reader.read(65536)
        except OSError:
            data = b""
        queue.put_nowait((loop.time() + 0.075, data))
        if not data:
            break
    await delivery
async def serve(listen, target, port):
    async def joined(reader, writer):
        try:
            onward = await asyncio.open_connection(target, port)
        except OSError:
            writer.close(); return
        await asyncio.gather(pump(reader, onward[1]), pump(onward[0], writer), return_exceptions=True)
    return await asyncio.start_server(joined, *listen)
async def main():
    servers = []
    for rule in sys.argv[1:]:
        address, port, target, onward = rule.split(":")
        servers.append(await serve((address, int(port)), target, int(onward)))
    await asyncio.gather(*(server.serve_forever() for server in servers))
asyncio.run(main())
RELAY
  on exit python3 "$work/relay.py" "$@" >"$work/relay.log" 2>&1 &
}

house-farm() {
  lab_host house 198.51.100.7; lab_host home1 198.51.100.130; lab_host home2 198.51.100.140
  for laptop in 1 2 3; do lab_behind "laptop$laptop" "192.168.77.1$laptop" house; done
  lab_behind laptop4 192.168.88.11 home1; lab_behind laptop5 192.168.89.11 home2
  lab_host exit 203.0.113.66; lab_host operator 203.0.114.50
  company; openvpn_keys kim lee park jones smith; static="$work/openvpn/static.key"
  serve_openvpn gateway udp --tls-auth "$static" 0 --keepalive 10 60 --push 'route 10.10.0.0 255.255.0.0' --push 'route 203.0.113.0 255.255.255.0' \
    --script-security 2 --client-connect "$work/account.sh" --client-disconnect "$work/account.sh"
  wireguard_pair exit 203.0.113.66 operator
  # The laptops' screens come to the exit's port 550N, the operator's sign-on leaves by its port 443.
  relay 0.0.0.0:5501:10.30.0.2:5501 0.0.0.0:5502:10.30.0.2:5502 0.0.0.0:5503:10.30.0.2:5503 10.30.0.1:443:192.0.2.20:443
  lab_record "$capture"
  local user=(kim lee park) began=$SECONDS
  for n in 1 2 3; do tunnel "laptop$n" "${user[n - 1]}"; pause 1000 3000; done
  tunnel laptop4 jones; tunnel laptop5 smith
  for n in 1 2 3 4 5; do desktop "laptop$n" "$((60 + n))"; done
  for n in 1 2 3; do
    Xvfb ":8$n" -screen 0 640x480x16 -nolisten tcp >/dev/null 2>&1 &
    sleep 1
    DISPLAY=":8$n" on operator vncviewer -listen "550$n" -PreferredEncoding=ZRLE -AutoSelect=0 >"$work/viewer$n.log" 2>&1 &
    wait_for 8 listens operator "550$n"
    DISPLAY=":6$n" on "laptop$n" vncconfig -connect "203.0.113.66:550$n" >/dev/null 2>&1 || true
    sleep 3
    focus ":8$n" operator
  done
  for n in 4 5; do { pause 1000 20000; hands "laptop$n" "$((60 + n))" $((length - 70)); } & looks "laptop$n" $((length - 60)) & done
  # A jiggler moves the third laptop's pointer, by the clock, all the time.
  while sleep 30; do DISPLAY=:63 on laptop3 xdotool mousemove_relative 1 0 mousemove_relative -- -1 0 2>/dev/null || break; done & jiggler=$!
  # One pair of hands goes round: a while on each screen, and a look at the sign-on page as that account.
  while [ $((SECONDS - began)) -lt $((length - 30)) ]; do
    for n in 1 2 3; do
      hands operator "8$n" 18
      fetch operator sso.example.com 10.30.0.1 || true
    done
  done
  kill "$jiggler" 2>/dev/null || true
  leave; lab_stop; "$here/trim.py" "$capture"
}

house-honest() {
  lab_host house 198.51.100.7; lab_host home1 198.51.100.130
  for laptop in 1 2; do lab_behind "laptop$laptop" "192.168.77.1$laptop" house; done
  lab_behind laptop4 192.168.88.11 home1; lab_host helpdesk 10.10.2.5
  company; openvpn_keys kim lee jones; static="$work/openvpn/static.key"
  serve_openvpn gateway udp --tls-auth "$static" 0 --keepalive 10 60 --push 'route 10.10.0.0 255.255.0.0' \
    --script-security 2 --client-connect "$work/account.sh" --client-disconnect "$work/account.sh"
  serve_rdp laptop1 rdp
  lab_record "$capture"
  tunnel laptop1 kim; pause 20000 30000; tunnel laptop4 jones; pause 10000 20000; tunnel laptop2 lee
  for n in 1 2 4; do desktop "laptop$n" "$((60 + n))"; done
  for n in 1 2 4; do { pause 1000 20000; hands "laptop$n" "$((60 + n))" $((length - 110)); } & looks "laptop$n" $((length - 100)) & done
  for house in house home1; do fetch "$house" sso.example.com 192.0.2.20 || true; done
  sleep 60
  drive_rdp helpdesk 10.20.0.2:3389 helpdesk 12 /sec:rdp /client-hostname:HELPDESK-01
  sleep $((length - 190)); leave; lab_stop
}

# The tunnels say goodbye.
leave() { pkill -TERM -f "remote 192.0.2.10 1194" || true; sleep 3; }

lab_begin; "$scenario"
