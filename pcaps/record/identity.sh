#!/bin/bash
# Records log-ons and names of an office, each with a real server and client: identity.sh FILE
#
# The desk dev-22 asks a Kerberos server for tickets, opens a share by NTLM, reads the directory by a simple bind and by
# Kerberos, joins the network by PEAP through RADIUS, and tells its neighbours its name.
here=$(cd "$(dirname "$0")" && pwd); . "$here/lab.sh"; . "$here/services.sh"
capture=$1; work="$LAB_SCRATCH"

# serve_kerberos HOST ADDRESS: the realm EXAMPLE.COM with kim and the services of the directory server.
serve_kerberos() {
  local host=$1 address=$2; local dir="$work/krb5"; mkdir -p "$dir"
  cat >"$dir/krb5.conf" <<CONF
[libdefaults]
  default_realm = EXAMPLE.COM
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  noaddresses = false
[realms]
  EXAMPLE.COM = {
    kdc = $address
  }
[domain_realm]
  .example.com = EXAMPLE.COM
CONF
  cat >"$dir/kdc.conf" <<CONF
[kdcdefaults]
  kdc_ports = 88
[realms]
  EXAMPLE.COM = {
    database_name = $dir/principal
    key_stash_file = $dir/stash
  }
CONF
  export KRB5_CONFIG="$dir/krb5.conf" KRB5_KDC_PROFILE="$dir/kdc.conf"
  kdb5_util create -s -r EXAMPLE.COM -P laboratory >/dev/null 2>&1
  kadmin.local -q 'addprinc -pw laboratory +requires_preauth kim' >/dev/null 2>&1
  kadmin.local -q 'addprinc -randkey ldap/files.example.com' >/dev/null 2>&1
  kadmin.local -q "ktadd -k $dir/keytab ldap/files.example.com" >/dev/null 2>&1
  on "$host" krb5kdc -n >"$dir/log" 2>&1 &
  sleep 1
}

# serve_files HOST: Samba with kim's account.
serve_files() {
  local dir="$work/samba"; mkdir -p "$dir/share"; echo notes >"$dir/share/notes"
  cat >"$dir/smb.conf" <<CONF
[global]
  workgroup = EXAMPLE
  netbios name = FILES
  server role = standalone server
  private dir = $dir
  lock directory = $dir
  state directory = $dir
  cache directory = $dir
  pid directory = $dir
  log file = $dir/log
  ncalrpc dir = $dir/ncalrpc
  passdb backend = tdbsam
  disable spoolss = yes
[share]
  path = $dir/share
CONF
  id kim >/dev/null 2>&1 || useradd -M -s /usr/sbin/nologin kim
  printf 'laboratory\nlaboratory\n' | smbpasswd -c "$dir/smb.conf" -s -a kim >/dev/null 2>&1
  on "$1" smbd -F -s "$dir/smb.conf" >"$dir/out" 2>&1 &
  wait_for 8 listens "$1" 445
}

# serve_directory HOST: OpenLDAP with people in it, simple binds and Kerberos.
serve_directory() {
  local dir="$work/ldap"; mkdir -p "$dir/db"
  cat >"$dir/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $dir/pid
sasl-host files.example.com
sasl-realm EXAMPLE.COM
database mdb
suffix dc=example,dc=com
rootdn cn=admin,dc=example,dc=com
rootpw laboratory
directory $dir/db
CONF
  cat >"$dir/people.ldif" <<LDIF
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: uid=kim,dc=example,dc=com
objectClass: inetOrgPerson
cn: Kim
sn: Kim
userPassword: laboratory
LDIF
  slapadd -f "$dir/slapd.conf" -l "$dir/people.ldif" >/dev/null 2>&1
  KRB5_KTNAME="$work/krb5/keytab" on "$1" slapd -d 0 -f "$dir/slapd.conf" -h ldap:/// >"$dir/log" 2>&1 &
  wait_for 8 listens "$1" 389
}

# serve_radius HOST CLIENT: FreeRADIUS with kim's password, for PEAP.
serve_radius() {
  local dir="$work/radius"; cp -r /etc/freeradius/3.0 "$dir"
  printf 'client switch {\n ipaddr = %s\n secret = laboratory\n}\n' "$2" >>"$dir/clients.conf"
  printf 'kim Cleartext-Password := "laboratory"\n' >"$dir/mods-config/files/authorize"
  sed -i -e 's/^\tuser = .*//' -e 's/^\tgroup = .*//' "$dir/radiusd.conf"
  on "$1" freeradius -f -d "$dir" -l "$dir/log" >"$dir/out" 2>&1 &
  wait_for 8 grep -q 'Ready to process' "$dir/log"
}

# announce HOST NAME: Avahi with a service of its own; it keeps its socket in a /run of its own.
announce() {
  local dir="$work/avahi-$1"; mkdir -p "$dir/services"
  printf '[server]\nhost-name=%s\nallow-interfaces=eth0\nuse-ipv6=no\nenable-dbus=no\n[publish]\npublish-workstation=yes\n' "$2" >"$dir/conf"
  on "$1" unshare -m sh -c "mount -t tmpfs none /run && exec avahi-daemon --no-chroot --no-drop-root -f '$dir/conf'" >"$dir/log" 2>&1 &
}

lab_begin
lab_host dev-22 10.10.1.22; lab_mirror dev-22
lab_host files 10.10.3.30; lab_host realm 10.10.3.31; lab_host switch 10.10.3.5; lab_mirror switch
serve_kerberos realm 10.10.3.31; serve_files files; serve_directory files; serve_radius realm 10.10.3.5
cp /etc/hosts "$work/hosts"; echo '10.10.3.30 files.example.com files' >>"$work/hosts"
desk() { on dev-22 unshare -m sh -c "mount --bind '$work/hosts' /etc/hosts && exec \"\$@\"" sh "$@"; }
lab_record "$capture"
export KRB5CCNAME="$work/tickets"
announce dev-22 dev-22; sleep 3
printf 'laboratory\n' | desk kinit kim >/dev/null 2>&1 || true
printf 'wrong\n' | KRB5CCNAME="$work/none" desk kinit kim >/dev/null 2>&1 || true
printf 'get notes /dev/null\n' | desk smbclient //files.example.com/share -U 'EXAMPLE\kim%laboratory' >"$work/smb.log" 2>&1 || true
desk smbclient //files.example.com/share -U 'EXAMPLE\kim%wrong' -c ls >>"$work/smb.log" 2>&1 || true
desk ldapsearch -x -H ldap://files.example.com -D uid=kim,dc=example,dc=com -w laboratory -b dc=example,dc=com uid=kim >"$work/ldap.log" 2>&1 || true
desk ldapsearch -Y GSSAPI -H ldap://files.example.com -b dc=example,dc=com uid=kim >>"$work/ldap.log" 2>&1 || true
printf 'network={\n ssid="wired"\n key_mgmt=IEEE8021X\n eap=PEAP\n identity="kim"\n password="laboratory"\n phase2="auth=MSCHAPV2"\n}\n' >"$work/eap.conf"
on switch eapol_test -c "$work/eap.conf" -a 10.10.3.31 -s laboratory -M 02:5a:0a:0a:01:16 -N 30:s:switch-3 >"$work/eap.log" 2>&1 || true
sleep 1; lab_stop
for log in smb ldap eap; do tail -3 "$work/$log.log" >&2; done
