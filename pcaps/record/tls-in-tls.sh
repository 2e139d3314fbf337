#!/bin/bash
# Records TLS carried in TLS: tls-in-tls.sh rented|own FILE
#
# The desk at 10.10.1.21 fetches pages by TLS 1.3 and 1.2, in new sessions and in one that goes on, through another
# TLS connection. `rented`: to the machine at 203.0.113.70, by an HTTPS proxy, stunnel, Trojan, VLESS and VLESS in a
# WebSocket, and Chromium through the proxy. `own`: through the organisation's HTTPS proxy at 10.10.3.8. Of both one
# connection to the HTTPS proxy stays open; stretched, for twelve minutes or more.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
which=$1; capture=$2; work="$LAB_SCRATCH"; page=https://www.example.org
case $which in rented) address=203.0.113.70 ;; own) address=10.10.3.8 ;; *) exit 2 ;; esac

lab_begin
lab_host desk21 10.10.1.21; lab_mirror desk21
lab_host proxy "$address"; lab_host web 203.0.113.20
chmod a+x "$work"; lab_certificate "$work/proxy" proxy.example.net; chmod a+r "$work/proxy"/*
lab_certificate "$work/site" www.example.org; mkdir "$work/root"; head -c 3000 /dev/urandom >"$work/root/page"
cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx.pid; error_log $work/nginx.log; events {}
http { access_log off; client_body_temp_path $work/body; root $work/root;
  ssl_certificate $work/site/cert.pem; ssl_certificate_key $work/site/key.pem; ssl_session_cache shared:site:1m;
  server { listen 443 ssl http2; ssl_protocols TLSv1.3; } server { listen 8443 ssl; ssl_protocols TLSv1.2; } }
CONF
chmod -R a+rX "$work/root" "$work/site"
on web nginx -c "$work/nginx.conf" 2>/dev/null & wait_for 5 listens web 443

printf '127.0.0.1 localhost\n203.0.113.20 www.example.org\n' >"$work/hosts"; printf 'nameserver 127.0.0.1\n' >"$work/resolv.conf"
# with_names HOST CMD…: the host knows the site by name.
with_names() {
  local host=$1; shift
  on "$host" unshare -m sh -c 'mount --bind "$1/hosts" /etc/hosts; mount --bind "$1/resolv.conf" /etc/resolv.conf
    mount -t tmpfs none /dev/shm; shift; exec "$@"' names "$work" "$@"
}
serve_squid proxy 3129 'http_port 127.0.0.1:3128' "https_port 3129 tls-cert=$work/proxy/cert.pem tls-key=$work/proxy/key.pem"

serve_stunnel() {
  printf '%s\n' 'foreground = yes' 'pid =' 'syslog = no' >"$work/stunnel-server.conf"
  cp "$work/stunnel-server.conf" "$work/stunnel-client.conf"
  printf '%s\n' '[p]' 'accept = 8443' 'connect = 127.0.0.1:3128' "cert = $work/proxy/cert.pem" "key = $work/proxy/key.pem" \
    >>"$work/stunnel-server.conf"
  printf '%s\n' 'client = yes' '[p]' 'accept = 127.0.0.1:8443' "connect = $address:8443" >>"$work/stunnel-client.conf"
  on proxy stunnel4 "$work/stunnel-server.conf" >"$work/stunnel-server.log" 2>&1 & wait_for 5 listens proxy 8443
  on desk21 stunnel4 "$work/stunnel-client.conf" >"$work/stunnel-client.log" 2>&1 & wait_for 5 listens desk21 8443
}
serve_trojan() {
  local tls13='"cipher_tls13":"TLS_AES_128_GCM_SHA256"' tcp='"tcp":{"no_delay":true,"keep_alive":true}'
  cat >"$work/trojan-server.json" <<CONF
{"run_type":"server","local_addr":"0.0.0.0","local_port":443,"remote_addr":"203.0.113.20","remote_port":80,"log_level":3,
 "password":["laboratory"],$tcp,
 "ssl":{"cert":"$work/proxy/cert.pem","key":"$work/proxy/key.pem",$tls13,"alpn":["http/1.1"],"reuse_session":true}}
CONF
  cat >"$work/trojan-client.json" <<CONF
{"run_type":"client","local_addr":"127.0.0.1","local_port":1080,"remote_addr":"$address","remote_port":443,"log_level":3,
 "password":["laboratory"],$tcp,
 "ssl":{"verify":false,"verify_hostname":false,"sni":"proxy.example.net",$tls13,"alpn":["h2","http/1.1"],"reuse_session":true}}
CONF
  with_names proxy trojan -c "$work/trojan-server.json" >"$work/trojan-server.log" 2>&1 & wait_for 5 listens proxy 443
  on desk21 trojan -c "$work/trojan-client.json" >"$work/trojan-client.log" 2>&1 & wait_for 5 listens desk21 1080
}
serve_v2ray() {
  local user='"id":"b831381d-6324-4d53-ad4f-8cda48b30811"' socket='"wsSettings":{"path":"/news"}'
  local keys="{\"certificateFile\":\"$work/proxy/cert.pem\",\"keyFile\":\"$work/proxy/key.pem\"}"
  local server="\"security\":\"tls\",\"tlsSettings\":{\"certificates\":[$keys]}"
  local client='"security":"tls","tlsSettings":{"allowInsecure":true,"serverName":"proxy.example.net"}'
  local inside="\"protocol\":\"vless\",\"settings\":{\"clients\":[{$user}],\"decryption\":\"none\"}"
  outside() { echo "\"protocol\":\"vless\",\"settings\":{\"vnext\":[{\"address\":\"$address\",\"port\":$1,\"users\":[{$user,\"encryption\":\"none\"}]}]}"; }
  cat >"$work/v2ray-server.json" <<CONF
{"inbounds":[{"port":8001,$inside,"streamSettings":{"network":"tcp",$server}},
  {"port":8002,$inside,"streamSettings":{"network":"ws",$server,$socket}}],
 "outbounds":[{"protocol":"freedom","settings":{"domainStrategy":"UseIPv4"}}],"dns":{"hosts":{"www.example.org":"203.0.113.20"}}}
CONF
  cat >"$work/v2ray-client.json" <<CONF
{"inbounds":[{"tag":"one","listen":"127.0.0.1","port":1081,"protocol":"socks"},{"tag":"two","listen":"127.0.0.1","port":1082,"protocol":"socks"}],
 "outbounds":[{"tag":"tcp",$(outside 8001),"streamSettings":{"network":"tcp",$client}},
  {"tag":"ws",$(outside 8002),"streamSettings":{"network":"ws",$client,$socket}}],
 "routing":{"rules":[{"type":"field","inboundTag":["one"],"outboundTag":"tcp"},{"type":"field","inboundTag":["two"],"outboundTag":"ws"}]}}
CONF
  on proxy v2ray -config "$work/v2ray-server.json" >"$work/v2ray-server.log" 2>&1 & wait_for 8 listens proxy 8002
  on desk21 v2ray -config "$work/v2ray-client.json" >"$work/v2ray-client.log" 2>&1 & wait_for 8 listens desk21 1082
}
# pages PROXY: a session of TLS 1.3, one of TLS 1.2, and one that goes on.
pages() {
  fetched() { on desk21 curl -sk --max-time 10 --proxy-insecure "$@" || echo "no page: $*" >&2; }
  fetched --proxy "$1" -o /dev/null "$page/page"
  fetched --proxy "$1" -H 'Connection: close' -o /dev/null "$page:8443/page" -o /dev/null "$page:8443/page?again"
}
# stay PROXY: a connection that is asked for a page twice a second.
stay() { on desk21 curl -sk --proxy-insecure --proxy "$1" --rate 120/m $(for n in $(seq 24); do echo "-o /dev/null $page/page?$n"; done); }

[ "$which" = own ] || { serve_stunnel; serve_trojan; serve_v2ray; }
printf '127.0.0.1 localhost\n%s proxy.example.net\n' "$address" >>"$work/hosts"
lab_record "$capture"; began=$SECONDS
pages "https://$address:3129"
if [ "$which" = rented ]; then
  pages http://127.0.0.1:8443; pages socks5h://127.0.0.1:1080; pages socks5h://127.0.0.1:1081; pages socks5h://127.0.0.1:1082
  mkdir -p "$work/.pki/nssdb"; certutil -N -d "sql:$work/.pki/nssdb" --empty-password
  certutil -A -d "sql:$work/.pki/nssdb" -n proxy -t CT,, -i "$work/proxy/cert.pem"
  certutil -A -d "sql:$work/.pki/nssdb" -n site -t CT,, -i "$work/site/cert.pem"
  HOME="$work" with_names desk21 timeout 10 chromium --headless=new --no-sandbox --disable-gpu --disable-background-networking \
    --disable-component-update --user-data-dir="$work/chromium" --proxy-server=https://proxy.example.net:3129 \
    --timeout=2500 --dump-dom "$page/page" >"$work/chromium.log" 2>&1 || true
fi
after=$((SECONDS - began + 2)); stay "https://$address:3129"
lab_stop; "$here/stretch.py" "$capture" "$after" 80
