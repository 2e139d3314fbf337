#!/bin/bash
# Records three ways out, each with a real server and client: softether-l2tp-tor.sh FILE
#
# The desk at 10.10.1.23 connects to a SoftEther server by its own client, opens an L2TP tunnel and a call in it (nobody
# answers for PPP), and asks a Tor bridge for the way into the network.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"
capture=$1; work="$LAB_SCRATCH"

lab_begin
lab_host desk23 10.10.1.23; lab_mirror desk23
lab_host gateway 203.0.113.45; lab_host bridge 203.0.113.46

# The programs keep what they write in three folders of the system; each gets its own instead.
softether() {
  local host=$1 program=$2; mkdir -p /run/softether /var/lib/softether /var/log/softether
  echo 'nameserver 10.10.3.5' >"$work/resolv.conf"
  on "$host" unshare -m sh -c "mount --bind $work/resolv.conf /etc/resolv.conf
    for folder in /run /var/lib /var/log; do mount -t tmpfs none \$folder/softether; done
    exec /usr/libexec/softether/$program/$program execsvc" >"$work/$program.log" 2>&1 &
}
softether gateway vpnserver; wait_for 20 listens gateway 5555
vpncmd_on() { on "$1" timeout 20 vpncmd "${@:2}" >>"$work/vpncmd.log" 2>&1; }
printf '%s\n' 'HubCreate desks /PASSWORD:laboratory' 'Hub desks' 'UserCreate ann /GROUP:none /REALNAME:none /NOTE:none' \
  'UserPasswordSet ann /PASSWORD:laboratory' 'SecureNatEnable' >"$work/server.cmd"
vpncmd_on gateway localhost:5555 /SERVER /IN:"$work/server.cmd"
softether desk23 vpnclient; wait_for 20 listens desk23 9931
printf '%s\n' 'NicCreate soft' 'AccountCreate lab /SERVER:203.0.113.45:5555 /HUB:desks /USERNAME:ann /NICNAME:soft' \
  'AccountPasswordSet lab /PASSWORD:laboratory /TYPE:standard' >"$work/client.cmd"
vpncmd_on desk23 localhost /CLIENT /IN:"$work/client.cmd"

xl2tp() {
  local name=$1 host=$2 section=$3
  cat >"$work/$name.conf" <<CONF
[global]
port = 1701
$section
CONF
  on "$host" xl2tpd -D -c "$work/$name.conf" -p "$work/$name.pid" -C "$work/$name.control" >"$work/$name.log" 2>&1 &
}
xl2tp lns gateway "[lns default]
ip range = 10.79.0.10-10.79.0.20
local ip = 10.79.0.1
hostname = lns.example.com
require authentication = no
pppoptfile = /dev/null"
xl2tp lac desk23 "[lac gateway]
lns = 203.0.113.45
hostname = desk-23
pppoptfile = /dev/null"

mkdir -m 700 "$work/tor-bridge" "$work/tor-client"; : >"$work/torrc"
on bridge tor -f "$work/torrc" --DataDirectory "$work/tor-bridge" --ORPort 203.0.113.46:9001 --Address 203.0.113.46 --BridgeRelay 1 \
  --PublishServerDescriptor 0 --AssumeReachable 1 --SocksPort 0 --ExitRelay 0 >"$work/bridge.log" 2>&1 & wait_for 15 listens bridge 9001

lab_record "$capture"
vpncmd_on desk23 localhost /CLIENT /CMD:AccountConnect lab
sleep 6
vpncmd_on desk23 localhost /CLIENT /CMD:AccountDisconnect lab || true
echo 'c gateway' >"$work/lac.control"; sleep 5; echo 'd gateway' >"$work/lac.control"; sleep 1
on desk23 timeout 12 tor -f "$work/torrc" --DataDirectory "$work/tor-client" --UseBridges 1 --Bridge 203.0.113.46:9001 \
  --SocksPort 9050 >"$work/tor.log" 2>&1 || true
lab_stop
grep -q 'Call established' "$work/lac.log" || cat "$work/lac.log" "$work/lns.log" >&2
