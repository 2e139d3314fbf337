# Real servers and clients for the laboratory, from Debian's packages. Sourced after lab.sh; each keeps its files in
# the laboratory's scratch folder.

# A free number for an X display of the laboratory.
lab_display() {
  ( flock 9; n=$(cat "$LAB_SCRATCH/display" 2>/dev/null || echo 70); echo $((n + 1)) >"$LAB_SCRATCH/display"; echo "$n" ) 9>"$LAB_SCRATCH/lock"
}

# serve_dhcp HOST NETWORK: leases .100 to .120 of the /24 on every interface it has.
serve_dhcp() {
  local host=$1 network=${2%.*}
  on "$host" dnsmasq --no-daemon --port=0 --leasefile-ro --dhcp-authoritative --no-ping --user=root \
    --dhcp-range="$network.100,$network.120,255.255.255.0,1h" --dhcp-option="6,$network.1" >"$LAB_SCRATCH/dhcp-$host.log" 2>&1 &
  sleep 0.5
}
# lease HOST HOSTNAME VENDOR: one DISCOVER … ACK by ISC dhclient.
lease() {
  local dir="$LAB_SCRATCH/lease-$1"; mkdir -p "$dir"
  printf 'send host-name "%s"; send vendor-class-identifier "%s"; request subnet-mask, routers, domain-name-servers, domain-name, ntp-servers;\n' \
    "$2" "$3" >"$dir/conf"
  on "$1" timeout 10 dhclient -1 -4 -cf "$dir/conf" -lf "$dir/leases" -pf "$dir/pid" -sf /bin/true eth0 >"$dir/log" 2>&1 || true
  on "$1" sh -c "kill \$(cat $dir/pid)" 2>/dev/null || true
}

# serve_ssh HOST [options]: OpenSSH with one account, `dev`, by key.
serve_ssh() {
  local host=$1 dir="$LAB_SCRATCH/ssh-$1"; shift; mkdir -p "$dir" /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$dir/host" && ssh-keygen -q -t ed25519 -N '' -f "$dir/user"
  cp "$dir/user.pub" "$dir/authorized"; chmod 600 "$dir/authorized"
  on "$host" /usr/sbin/sshd -D -e -f /dev/null -o HostKey="$dir/host" -o AuthorizedKeysFile="$dir/authorized" \
    -o StrictModes=no -o PidFile=none -o PermitRootLogin=prohibit-password -o UsePAM=no "$@" 2>"$dir/log" &
  wait_for 5 listens "$host" 22
}
# ssh_from CLIENT SERVER ADDRESS CMD…
ssh_from() {
  local client=$1 dir="$LAB_SCRATCH/ssh-$2" address=$3; shift 3
  on "$client" ssh -F none -i "$dir/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    "root@$address" "$@" </dev/null
}
# typed LINE…: the keys of a person.
typed() {
  local line i
  for line in "$@"; do
    for ((i = 0; i < ${#line}; i++)); do printf '%s' "${line:i:1}"; sleep "0.$((RANDOM % 12 + 4))"; done; printf '\r'; sleep 0.8
  done
}

# serve_web HOST NAME [SUBJECT]: nginx with TLS 1.2 and 1.3 under a certificate of that name.
serve_web() {
  local dir="$LAB_SCRATCH/web-$1"; lab_certificate "$dir" "$2" "${3:-}"
  head -c 20000 /dev/zero >"$dir/page"
  cat >"$dir/nginx.conf" <<CONF
daemon off; pid $dir/pid; error_log $dir/error.log; events {}
http { access_log off; client_body_temp_path $dir/body; server { listen 443 ssl; listen 80; server_name $2; root $dir;
  ssl_certificate $dir/cert.pem; ssl_certificate_key $dir/key.pem; ssl_protocols TLSv1.2 TLSv1.3; } }
CONF
  chmod a+x "$LAB_SCRATCH"; chmod -R a+rX "$dir"
  on "$1" nginx -c "$dir/nginx.conf" 2>/dev/null &
  wait_for 5 listens "$1" 443
}
# fetch CLIENT NAME ADDRESS [curl options]
fetch() {
  local client=$1 name=$2 address=$3; shift 3
  on "$client" curl -sk -o /dev/null --max-time 10 --resolve "$name:443:$address" --resolve "$name:80:$address" "$@" "https://$name/page"
}

# serve_squid HOST PORT LINE…: Squid with these lines of configuration, that listens on this port, too. It knows www.example.org.
serve_squid() {
  local host=$1 port=$2 dir="$LAB_SCRATCH/squid-$1"; shift 2
  mkdir -p "$dir"; chmod a+x "$LAB_SCRATCH"; chown proxy "$dir"; echo '203.0.113.20 www.example.org' >"$dir/hosts"
  printf '%s\n' "$@" 'http_access allow all' 'cache deny all' 'access_log none' 'dns_nameservers 127.0.0.1' 'pinger_enable off' \
    "pid_filename $dir/pid" "cache_log $dir/log" "coredump_dir $dir" "visible_hostname $host" "hosts_file $dir/hosts" >"$dir/conf"
  on "$host" unshare -m sh -c "mount -t tmpfs none /dev/shm; exec squid -N -f '$dir/conf'" >"$dir/out" 2>&1 &
  wait_for 15 listens "$host" "$port" || { cat "$dir/out" "$dir/log" >&2; exit 1; }
}
# serve_names HOST NAME=ADDRESS…: a resolver that knows these names and no others.
serve_names() {
  local host=$1 options=(); shift
  for pair in "$@"; do options+=("--address=/${pair%%=*}/${pair#*=}"); done
  on "$host" dnsmasq --no-daemon --no-hosts --no-resolv --port=53 --bind-interfaces --interface=eth0 "${options[@]}" \
    >"$LAB_SCRATCH/dns-$host.log" 2>&1 &
  wait_for 5 listens "$host" 53
}
resolve() { on "$1" dig +tries=1 +time=2 "@$2" "$3" "${4:-A}" >/dev/null; }

# serve_rdp HOST LAYER: xrdp's log-on screen; LAYER is `tls`, `rdp` or `negotiate`.
serve_rdp() {
  local dir="$LAB_SCRATCH/rdp-$1"; lab_certificate "$dir" "$1"
  cp -r /etc/xrdp/. "$dir"
  cp "$dir/cert.pem" "$dir/rdp-cert.pem"; cp "$dir/key.pem" "$dir/rdp-key.pem"
  sed -i -e "s|^security_layer=.*|security_layer=$2|" -e "s|^certificate=.*|certificate=$dir/rdp-cert.pem|" \
    -e "s|^key_file=.*|key_file=$dir/rdp-key.pem|" -e 's|^port=.*3389|port=3389|' -e "s|^LogFile=.*|LogFile=$dir/log|" "$dir/xrdp.ini"
  # FreeRDP 2 and xrdp 0.9 disagree about the checksums of standard RDP security under OpenSSL 3: without encryption it runs.
  [ "$2" != rdp ] || sed -i 's|^crypt_level=.*|crypt_level=none|' "$dir/xrdp.ini"
  # Each server has its own /run: they keep a process file and sockets there.
  on "$1" unshare -m sh -c "mount -t tmpfs none /run && exec xrdp -n -c '$dir/xrdp.ini'" >"$dir/out" 2>&1 &
  wait_for 8 listens "$1" 3389
}
# drive_rdp CLIENT ADDRESS:PORT USER SECONDS [xfreerdp options]: connects under Xvfb, types and moves the mouse.
drive_rdp() {
  local client=$1 target=$2 user=$3 seconds=$4 display; shift 4
  display=$(lab_display)
  Xvfb ":$display" -screen 0 800x600x16 -nolisten tcp >/dev/null 2>&1 & local screen=$!
  sleep 1
  DISPLAY=":$display" on "$client" timeout "$seconds" xfreerdp "/v:$target" /cert:ignore "/u:$user" /w:640 /h:480 /bpp:16 \
    +clipboard "$@" >"$LAB_SCRATCH/freerdp-$client-$display.log" 2>&1 & local session=$!
  sleep 3
  for step in 1 2 3 4 5; do
    DISPLAY=":$display" xdotool mousemove $((100 + step * 40)) $((120 + step * 20)) key Tab type "hello$step" 2>/dev/null || true
    sleep 0.4
  done
  wait "$session" || true
  kill "$screen" 2>/dev/null || true
}

# serve_vnc HOST DISPLAY TYPE…: TigerVNC with an xterm; TYPE is `None`, `VncAuth`, `TLSVnc`, … (password `secret12`).
serve_vnc() {
  local host=$1 display=$2 types=$3 dir="$LAB_SCRATCH/vnc-$1"; mkdir -p "$dir"
  printf 'secret12' | vncpasswd -f >"$dir/passwd"
  on "$host" Xtigervnc ":$display" -geometry 640x480 -depth 16 -rfbport 5900 -localhost=0 -SecurityTypes "$types" \
    -PasswordFile "$dir/passwd" -desktop "$host:dev" >"$dir/log" 2>&1 &
  wait_for 5 listens "$host" 5900
  DISPLAY=":$display" on "$host" xterm -e 'sleep 60' >/dev/null 2>&1 &
}
# focus DISPLAY HOST: gives the viewer the keyboard; without a window manager nobody else does, and it keeps its input to itself.
focus() { DISPLAY="$1" on "$2" xdotool search --onlyvisible --name TigerVNC windowfocus >/dev/null 2>&1 || true; }
# drive_vnc CLIENT ADDRESS SERVER-HOST SECONDS
drive_vnc() {
  local client=$1 address=$2 server=$3 seconds=$4 display; shift 4
  display=$(lab_display)
  Xvfb ":$display" -screen 0 800x600x16 -nolisten tcp >/dev/null 2>&1 & local screen=$!
  sleep 1
  DISPLAY=":$display" on "$client" timeout "$seconds" vncviewer -passwd "$LAB_SCRATCH/vnc-$server/passwd" "$@" "$address::5900" \
    >"$LAB_SCRATCH/vncviewer-$client-$display.log" 2>&1 & local session=$!
  sleep 2
  focus ":$display" "$client"
  for step in 1 2 3; do
    DISPLAY=":$display" xdotool mousemove $((150 + step * 40)) $((120 + step * 20)) type "hello$step" 2>/dev/null || true
    sleep 0.4
  done
  wait "$session" || true
  kill "$screen" 2>/dev/null || true
}

# openvpn_keys: one authority, a server and the named clients, and a static key for tls-auth and tls-crypt.
openvpn_keys() {
  local dir="$LAB_SCRATCH/openvpn"; mkdir -p "$dir"
  openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=lab-ca -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
  for name in server "$@"; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 365 -out "$dir/$name.pem" 2>/dev/null
  done
  openvpn --genkey secret "$dir/static.key"
}
# serve_openvpn HOST PROTO [options]: the gateway, its pool 10.20.0.0/24.
serve_openvpn() {
  local host=$1 proto=$2 dir="$LAB_SCRATCH/openvpn"; shift 2
  on "$host" openvpn --dev tun0 --proto "$proto" --server 10.20.0.0 255.255.255.0 --topology subnet --dh none \
    --ca "$dir/ca.pem" --cert "$dir/server.pem" --key "$dir/server.key" --keepalive 10 60 --duplicate-cn "$@" >"$dir/server.log" 2>&1 &
  wait_for 8 grep -q 'Initialization Sequence Completed' "$dir/server.log"
}
# join_openvpn CLIENT NAME ADDRESS PROTO [options]
join_openvpn() {
  local client=$1 name=$2 address=$3 proto=$4 dir="$LAB_SCRATCH/openvpn"; shift 4
  on "$client" openvpn --client --dev tun0 --proto "$proto" --remote "$address" 1194 --nobind --ca "$dir/ca.pem" \
    --cert "$dir/$name.pem" --key "$dir/$name.key" "$@" >"$dir/$client.log" 2>&1 &
  wait_for 10 grep -q 'Initialization Sequence Completed' "$dir/$client.log"
}

# wireguard_pair SERVER ADDRESS CLIENT: wireguard-go on both, 10.30.0.1 and 10.30.0.2, UDP port 51820.
wireguard_pair() {
  local server=$1 address=$2 client=$3 dir="$LAB_SCRATCH/wg"; mkdir -p "$dir"
  for host in "$server" "$client"; do
    wg genkey >"$dir/$host.key"; wg pubkey <"$dir/$host.key" >"$dir/$host.pub"
    on "$host" wireguard-go -f "wg-$host" >"$dir/$host.log" 2>&1 &
    wait_for 5 test -S "/run/wireguard/wg-$host.sock"
  done
  on "$server" wg set "wg-$server" private-key "$dir/$server.key" listen-port 51820 peer "$(cat "$dir/$client.pub")" allowed-ips 10.30.0.2/32
  on "$client" wg set "wg-$client" private-key "$dir/$client.key" peer "$(cat "$dir/$server.pub")" endpoint "$address:51820" \
    allowed-ips 10.30.0.0/24 persistent-keepalive 5
  on "$server" ip addr add 10.30.0.1/24 dev "wg-$server"; on "$client" ip addr add 10.30.0.2/24 dev "wg-$client"
  on "$server" ip link set "wg-$server" up; on "$client" ip link set "wg-$client" up
}

# ike_gateway HOST ADDRESS: strongSwan with a pre-shared key, its pool 10.40.0.0/24, itself 10.41.0.1 behind the tunnel.
ike_gateway() {
  on "$1" ip addr add 10.41.0.1/32 dev lo
  ike "$1" "$2" %any 'pools = lab' 'local_ts = 10.41.0.1/32' $'pools {\nlab {\naddrs = 10.40.0.0/24\n}\n}'
}
# ike_join HOST ADDRESS GATEWAY: takes an address of the pool.
ike_join() {
  ike "$1" "$2" "$3" 'vips = 0.0.0.0' 'remote_ts = 10.41.0.1/32' ''
  STRONGSWAN_CONF="$LAB_SCRATCH/ike-$1/strongswan.conf" on "$1" swanctl --initiate --child net --uri "unix://$LAB_SCRATCH/ike-$1/vici" \
    --timeout 5 >"$LAB_SCRATCH/ike-$1/initiate.log" 2>&1
}
ike() {
  local host=$1 address=$2 peer=$3 connection=$4 child=$5 extra=$6 dir="$LAB_SCRATCH/ike-$1"; mkdir -p "$dir"
  cat >"$dir/strongswan.conf" <<CONF
charon-systemd {
  plugins {
    vici {
      socket = unix://$dir/vici
    }
  }
  filelog {
    log {
      path = $dir/log
    }
  }
}
CONF
  cat >"$dir/swanctl.conf" <<CONF
connections {
  lab {
    local_addrs = $address
    remote_addrs = $peer
    $connection
    local {
      auth = psk
      id = $host
    }
    remote {
      auth = psk
    }
    children {
      net {
        esp_proposals = aes128-sha256
        $child
      }
    }
  }
}
secrets {
  ike-lab {
    secret = laboratory
  }
}
$extra
CONF
  STRONGSWAN_CONF="$dir/strongswan.conf" on "$host" charon-systemd >/dev/null 2>&1 &
  wait_for 8 test -S "$dir/vici"
  STRONGSWAN_CONF="$dir/strongswan.conf" on "$host" swanctl --load-all --uri "unix://$dir/vici" --file "$dir/swanctl.conf" >"$dir/load.log" 2>&1
}
