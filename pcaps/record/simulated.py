#!/usr/bin/env python3
"""Writes the simulated scenarios: simulated.py NAME FILE, or simulated.py places FILE for the database of places.

What takes days, many households or many machines is not recorded but written, with real bytes at chosen times, by
`frames.py` beside this. The organisation is the one of `../spanwatch.yml`; households outside have addresses of
198.18.0.0/15 (RFC 2544), where the three documentation networks are too few.
"""
import itertools
import ssl
import struct
import sys

from frames import LINUX, WINDOWS, Capture, Tcp, Tls, Udp, certificate, packed

MINUTE, HOUR, DAY = 60, 3600, 86400
GATEWAY, RADIUS, SWITCH, DIRECTORY = "192.0.2.10", "10.10.3.20", "10.10.3.30", "10.10.3.5"
SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


# What happens.

def attribute(kind, value):
    return bytes([kind, 2 + len(value)]) + value


def accounted(capture, at, user, outside, inside="10.20.0.7", status=1):
    """A VPN gateway tells its RADIUS server that a session began, or with 2 that it is over (RFC 2866)."""
    port, sign = 20000 + len(capture.frames), capture.random.randbytes(16)
    attributes = b"".join([
        attribute(1, user.encode()), attribute(4, packed("10.10.3.10")), attribute(61, struct.pack("!I", 5)),
        attribute(40, struct.pack("!I", status)), attribute(8, packed(inside)), attribute(31, outside.encode()),
        attribute(44, b"%08x" % port)])
    flow = Udp(capture, ("10.10.3.10", port), (RADIUS, 1813))
    flow.say(at, struct.pack("!BBH", 4, 1, 20 + len(attributes)) + sign + attributes)
    flow.say(at + 0.002, struct.pack("!BBH", 5, 1, 20) + sign, True)


def authenticated(capture, at, user, station):
    """A switch lets somebody in at a port (RFC 2865, RFC 3580)."""
    port, sign = 20000 + len(capture.frames), capture.random.randbytes(16)
    attributes = b"".join([
        attribute(1, user.encode()), attribute(4, packed(SWITCH)), attribute(61, struct.pack("!I", 15)),
        attribute(31, station.encode())])
    flow = Udp(capture, (SWITCH, port), (RADIUS, 1812))
    flow.say(at, struct.pack("!BBH", 1, 1, 20 + len(attributes)) + sign + attributes)
    flow.say(at + 0.002, struct.pack("!BBH", 2, 1, 20) + sign, True)


def tunnel(capture, first, last, outside, port):
    """A WireGuard tunnel of a laptop outside to the gateway, kept alive every 25 s and answered now and then."""
    flow, random = Udp(capture, (outside, port), (GATEWAY, 51820)), capture.random
    index = random.randbytes(4)
    flow.say(first, b"\1\0\0\0" + index + random.randbytes(124) + bytes(16))
    flow.say(first + 0.001, b"\2\0\0\0" + random.randbytes(4) + index + random.randbytes(64) + bytes(16), True)
    moments = [first + 1 + 25 * number for number in range(int(last - first) // 25)] + [last]
    for number, at in enumerate(moments):
        flow.say(at, b"\4\0\0\0" + index + random.randbytes(8 + 16), number % 5 == 1)


def visit(capture, at, desk, server, name, tls, data=b"", more=0, parts=0, from_server=False, port=0, every=0.01):
    """A desk speaks TLS to a server of that name; then `parts` segments of so many more bytes go one way."""
    port = port or 30000 + len(capture.frames) % 30000
    flow = Tcp(capture, at, (desk, port), (server, 443), far=0.001, near=0.02, hops=0)
    tls.speak(flow, name, far=0.003, near=0.03)
    for _ in range(parts):
        flow.say(b"\x17\x03\x03\xff\xff", from_server, every, more)
    flow.close()
    return flow


def remote_desktop(capture, at, client, desk, user, stack, tls, secs=90):
    """RDP with TLS: the request of MS-RDPBCGR 2.2.1.1 with its cookie, and the server's choice."""
    flow = Tcp(capture, at, (client, 40000 + len(capture.frames)), (desk, 3389), stack, far=0.03)
    cookie = b"Cookie: mstshash=" + user.encode() + b"\r\n" + struct.pack("<BBHI", 1, 0, 8, 1)
    flow.say(struct.pack("!BBHBBHHB", 3, 0, 11 + len(cookie), 6 + len(cookie), 0xE0, 0, 0, 0) + cookie)
    flow.say(bytes.fromhex("030000130ed000001234000200080001000000"), True)
    tls.speak(flow, desk, far=0.032)
    for _ in range(secs // 10):
        flow.say(b"\x17\x03\x03\0\x20" + capture.random.randbytes(32), after=5)
        flow.say(b"\x17\x03\x03\4\0" + capture.random.randbytes(1024), True, after=5)
    flow.close()


def web_tls():
    return Tls(certificate("/CN=www.example.org"))


# Sites.

@scenario
def accounts_at_one_site(capture):
    for number, user in enumerate(["ann", "bob", "cho"]):
        accounted(capture, number * HOUR, user, "198.18.7.7", f"10.20.0.{11 + number}")


@scenario
def accounts_live_apart(capture):
    accounts_at_one_site(capture)


@scenario
def new_accounts_at_one_site(capture):
    accounts_at_one_site(capture)


@scenario
def two_accounts_at_one_site(capture):
    for number, user in enumerate(["ann", "bob", "ann"]):
        accounted(capture, number * HOUR, user, "198.18.7.7", f"10.20.0.{11 + number % 2}")


def connections(capture, machine, numbers):
    """A machine behind 198.18.7.7 opens a connection to the portal every minute or so, for half an hour."""
    at = 2 * machine + capture.random.random()
    while at < 30 * MINUTE:
        port = 20000 + len(capture.frames)
        flow = Tcp(capture, at, ("198.18.7.7", port), ("192.0.2.20", 443), WINDOWS, numbers=numbers)
        for _ in range(capture.random.randrange(3, 9)):
            flow.say(b"\x17\x03\x03\0\x40" + capture.random.randbytes(64), after=0.05)
            flow.say(b"\x17\x03\x03\1\0" + capture.random.randbytes(256), True, after=0.05)
        flow.close()
        at += capture.random.uniform(40, 80)


@scenario
def machines_behind_one_address(capture):
    accounted(capture, 0, "ann", "198.18.7.7")
    for machine in range(4):
        connections(capture, machine, itertools.count(capture.random.randrange(65536)))


@scenario
def one_machine_connects_often(capture):
    accounted(capture, 0, "ann", "198.18.7.7")
    connections(capture, 0, itertools.count(capture.random.randrange(65536)))
    for machine in range(1, 4):
        connections(capture, machine, iter(lambda: capture.random.randrange(65536), None))


@scenario
def accounts_share_a_vpn_exit(capture):
    accounted(capture, 0, "ann", "198.18.66.7", "10.20.0.11")
    accounted(capture, 2 * DAY, "bob", "198.18.66.7", "10.20.0.12")


@scenario
def tunnel_from_a_vpn_exit(capture):
    tunnel(capture, 0, 10 * MINUTE, "198.18.66.7", 40000)


@scenario
def two_accounts_for_days(capture):
    for day in range(5):
        accounted(capture, day * DAY, "ann", "198.18.7.7", "10.20.0.11")
        accounted(capture, day * DAY + 9 * MINUTE, "bob", "198.18.7.7", "10.20.0.12")


def failing(capture, outside, first_port):
    """Two laptops whose tunnels end every 80 minutes within two seconds, and begin anew two minutes later."""
    for period in range(4):
        for laptop in range(2):
            begin, late = period * 80 * MINUTE + 2 * MINUTE, 2 * laptop
            end = (period + 1) * 80 * MINUTE + (50 * MINUTE if period == 3 else 0)
            tunnel(capture, begin + late, end + late, outside, first_port + period * 2 + laptop)


@scenario
def tunnels_fail_together(capture):
    failing(capture, "198.18.7.7", 40000)


@scenario
def gateway_restarts(capture):
    for site in range(4):
        failing(capture, f"198.18.{site}.7", 40000 + 10 * site)


# Ways.

@scenario
def account_on_many_networks(capture):
    for number in range(7):
        accounted(capture, number * 2 * HOUR, "ann", f"198.18.{10 + number}.7")


@scenario
def account_alternates(capture):
    for number in range(6):
        accounted(capture, number * 15 * MINUTE, "ann", f"198.18.{10 + number % 2}.7")


@scenario
def account_at_two_places(capture):
    for number, outside in enumerate(["198.18.10.7", "198.18.11.7"]):
        accounted(capture, number * HOUR, "ann", outside, f"10.20.0.{7 + number}")
    for number, outside in enumerate(["198.18.11.7", "198.18.10.7"]):
        accounted(capture, (8 + number) * HOUR, "ann", outside, f"10.20.0.{8 - number}", status=2)


@scenario
def account_with_hotspot(capture):
    for day in range(5):
        for number, network in enumerate([10, 11, 10]):
            accounted(capture, day * (DAY + HOUR) + number * 20 * MINUTE, "ann", f"198.18.{network}.7")


@scenario
def account_in_two_countries(capture):
    accounted(capture, 0, "ann", "198.18.10.7")
    accounted(capture, 30 * MINUTE, "ann", "198.19.10.7")


@scenario
def account_leaps(capture):
    accounted(capture, 0, "ann", "198.18.10.7")
    accounted(capture, 2 * HOUR, "ann", "198.18.200.7")


@scenario
def account_flies(capture):
    accounted(capture, 0, "ann", "198.18.10.7")
    accounted(capture, 6 * HOUR, "ann", "198.18.200.7")


def portal(capture, day, number, outside, far, behind, tls, mss=1460, stack=WINDOWS):
    at = day * DAY + number * 7 * MINUTE + capture.random.random()
    flow = Tcp(capture, at, (outside, 40000 + len(capture.frames) % 20000), (GATEWAY, 443), stack, mss,
               far=far + capture.random.random() * 0.004)
    if tls:
        tls.speak(flow, "vpn.example.org", far=far + behind + capture.random.random() * 0.008)
    flow.close()


@scenario
def relay_before_tls(capture):
    tls = web_tls()
    for day in range(2):
        for number in range(6):
            portal(capture, day, number, "198.18.7.7", 0.02, 0.15, tls, stack=LINUX)


@scenario
def far_direct_client(capture):
    tls = web_tls()
    for day in range(2):
        for number in range(8):
            portal(capture, day, number, "198.18.7.7", 0.18, 0.3 if number == 3 else 0.05, tls)


def neighbours(capture, mss, rtts):
    for number, rtt in enumerate(rtts):
        for day in range(3):
            portal(capture, day, number / 10, f"198.18.20.{10 + number}", rtt, 0, None, mss)


@scenario
def client_behind_travel_router(capture):
    neighbours(capture, 1460, [0.018 + 0.002 * number for number in range(10)])
    for day in range(3):
        for number in range(20):
            portal(capture, day, 1 + number, "198.18.7.7", 0.15, 0, None, 1380)


@scenario
def mobile_provider(capture):
    neighbours(capture, 1380, [0.03 + 0.012 * number for number in range(10)])
    for day in range(3):
        for number in range(20):
            portal(capture, day, 1 + number, "198.18.7.7", 0.15, 0, None, 1380)


# Accounts.

@scenario
def second_machine_of_account(capture):
    tls = web_tls()
    remote_desktop(capture, 0, "198.18.7.7", "10.10.1.22", "ann", WINDOWS, tls)
    remote_desktop(capture, 30 * MINUTE, "198.18.9.9", "10.10.1.22", "ann", LINUX, tls)


@scenario
def same_machine_elsewhere(capture):
    tls = web_tls()
    remote_desktop(capture, 0, "198.18.7.7", "10.10.1.22", "ann", WINDOWS, tls)
    remote_desktop(capture, 30 * MINUTE, "198.18.9.9", "10.10.1.22", "ann", WINDOWS, tls)


def bound(capture, at, desk, user):
    """A simple bind and its success (RFC 4511 4.2)."""
    name, word = user.encode() + b"@corp.example", b"not-kept"
    body = b"\2\1\3\4" + bytes([len(name)]) + name + b"\x80" + bytes([len(word)]) + word
    bind = b"\2\1\1\x60" + bytes([len(body)]) + body
    flow = Tcp(capture, at, (desk, 30000 + len(capture.frames)), (DIRECTORY, 389), WINDOWS, far=0.001, hops=0)
    flow.say(b"\x30" + bytes([len(bind)]) + bind)
    flow.say(bytes.fromhex("300c02010161070a010004000400"), True)
    flow.close()


@scenario
def account_on_many_hosts(capture):
    for day in range(4):
        for number in range(1 if day < 3 else 3):
            bound(capture, day * DAY + number * HOUR, f"10.10.1.{21 + number}", "ann")


@scenario
def account_on_two_hosts(capture):
    for day in range(4):
        for number in range(1 if day < 3 else 2):
            bound(capture, day * DAY + number * HOUR, f"10.10.1.{21 + number}", "ann")


@scenario
def account_from_two_stations(capture):
    for day in range(4):
        authenticated(capture, day * DAY, "ann", "00-50-56-00-00-21")
    authenticated(capture, 3 * DAY + HOUR, "ann", "00-50-56-00-00-99")


@scenario
def account_from_one_station(capture):
    for day in range(4):
        for number in range(2):
            authenticated(capture, day * DAY + number * HOUR, "ann", "00-50-56-00-00-21")


# Devices.

def shown(capture, at, client, desk):
    """A session of VNC (RFC 6143) as far as its ClientInit."""
    flow = Tcp(capture, at, client, (desk, 5900), far=0.001, hops=0)
    for from_server, data in ((True, b"RFB 003.008\n"), (False, b"RFB 003.008\n"), (True, b"\1\2"), (False, b"\2"),
                              (True, capture.random.randbytes(16)), (False, capture.random.randbytes(16)),
                              (True, bytes(4)), (False, b"\1")):
        flow.say(data, from_server)
    return flow


def driven(capture, day, part_bytes):
    """For thirteen hours: about every ten minutes somebody moves, and three parts of the picture follow."""
    flow = shown(capture, day * DAY, ("10.10.1.50", 40000 + day), "10.10.1.22")
    for _ in range(13 * 6):
        flow.say(bytes.fromhex("03010000000005000320"), after=capture.random.uniform(200, 400))
        for _ in range(3):
            flow.say(b"\0\0\0\1", True, 100, part_bytes)
    flow.close()


@scenario
def driven_all_day(capture):
    for day in range(5):
        driven(capture, day, 64000)


@scenario
def remote_desktop_kept_open(capture):
    for day in range(5):
        driven(capture, day, 60)


def asks(capture, at, desk, name):
    """A desk asks for the address of a name (RFC 1035)."""
    question = struct.pack("!HHHHHH", capture.random.randrange(65536), 0x100, 1, 0, 0, 0)
    question += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    Udp(capture, (desk, 20000 + len(capture.frames) % 40000), ("10.10.3.53", 53)).say(at, question)


@scenario
def one_outside_client_many_desktops(capture):
    for number in range(3):
        flow = shown(capture, 40 * MINUTE * number, ("203.0.113.77", 40000 + number), f"10.10.1.{22 + number}")
        for _ in range(40):
            flow.say(b"\5\0\2\x80\1\x60", after=capture.random.uniform(1, 6))
            flow.say(b"\0\0\0\1", True, 0.06, 1300)
            flow.say(bytes.fromhex("03010000000005000320"), after=0.19)
        flow.close()


def worked_through(capture, client, minutes, lag, is_followed):
    """Somebody moves and clicks at 10.10.1.22 by VNC, a few times a minute. Pictures follow, and the viewer asks for the
    next one after `lag`. The desk asks for a name then, or whenever it likes."""
    random, flow, number = capture.random, shown(capture, 0, (client, 40000), "10.10.1.22"), 0
    while flow.at < minutes * MINUTE:
        flow.at += random.uniform(5, 20)
        for _ in range(random.randrange(3, 7)):
            flow.say(b"\5\0\2\x80\1\x60", after=random.uniform(0.04, 0.3))
        clicked, number = flow.at, number + 1
        answers = []
        for picture in range(3):
            flow.at = clicked + 0.06 + 0.12 * picture
            flow.say(b"\0\0\0\1", True, 0, 1300)
            answers.append(flow.at + lag + random.uniform(0, 0.006))
        for at in answers:
            flow.at = at
            flow.say(bytes.fromhex("03010000000005000320"), after=0)
        asks(capture, clicked + 0.2 if is_followed else random.uniform(0, minutes * MINUTE), "10.10.1.22",
             f"page{number}.example.org")
    flow.close()


@scenario
def driver_far_away(capture):
    worked_through(capture, "203.0.113.77", 65, 0.19, True)


@scenario
def driver_nearby(capture):
    worked_through(capture, "10.10.1.50", 50, 0.02, False)


def anydesk(capture, at, desk, client_certificate, server_certificate):
    tls = Tls(server_certificate, ssl.TLSVersion.TLSv1_2, client_certificate)
    visit(capture, at, desk, "203.0.113.20", "relay-7.net.anydesk.com", tls)


@scenario
def installation_on_several_devices(capture):
    own, relay = certificate("/CN=AnyDesk Client"), certificate("/CN=AnyNet Relay")
    for number, desk in enumerate(["10.10.1.21", "10.10.1.22"]):
        anydesk(capture, number * HOUR, desk, own, relay)


@scenario
def installations_of_their_own(capture):
    relay = certificate("/CN=AnyNet Relay")
    for number, desk in enumerate(["10.10.1.21", "10.10.1.22"]):
        anydesk(capture, number * HOUR, desk, certificate("/CN=AnyDesk Client"), relay)


@scenario
def remote_access_product_of_one(capture):
    tls = web_tls()
    for number in range(60):
        visit(capture, number * MINUTE, f"10.10.1.{100 + number}", "203.0.113.20", "www.example.org", tls)
    visit(capture, 2 * HOUR, "10.10.1.121", "203.0.113.21", "relay-7.net.anydesk.com", tls)


@scenario
def remote_access_product_of_many(capture):
    tls = web_tls()
    for number in range(60):
        name = "relay-7.net.anydesk.com" if number < 20 else "www.example.org"
        visit(capture, number * MINUTE, f"10.10.1.{100 + number}", "203.0.113.20", name, tls)
    visit(capture, 2 * HOUR, "10.10.1.121", "203.0.113.21", "relay-7.net.anydesk.com", tls)


def leased(capture, at, mac, address, name, vendor_class, asked):
    """DHCP request and acknowledgement (RFC 2131)."""
    def message(operation, kind, options):
        head = struct.pack("!BBBBIHH", operation, 1, 6, 0, 7, 0, 0) + bytes(4) + (
            packed(address) if operation == 2 else bytes(4)) + bytes(8) + mac + bytes(10 + 192)
        return head + b"\x63\x82\x53\x63\x35\1" + bytes([kind]) + options + b"\xff"
    options = b"\x3d\7\1" + mac + b"\x32\4" + packed(address) + bytes([12, len(name)]) + name.encode()
    options += bytes([60, len(vendor_class)]) + vendor_class.encode() + bytes([55, len(asked)]) + bytes(asked)
    Udp(capture, ("0.0.0.0", 68), ("255.255.255.255", 67), mac).say(at, message(1, 3, options))
    answer = Udp(capture, (address, 68), ("10.10.1.1", 67), mac)
    answer.say(at + 0.01, message(2, 5, b"\x36\4" + packed("10.10.1.1") + b"\x33\4\0\1\x51\x80"), True)


def speaks(capture, at, mac, address, stack, tls):
    flow = Tcp(capture, at, (address, 50000), ("203.0.113.20", 443), stack, far=0.001, near=0.02, client_mac=mac, hops=0)
    tls.speak(flow, "www.example.org", far=0.003, near=0.03)
    flow.close()


@scenario
def disguised_device(capture):
    mac = bytes.fromhex("b827eb1a2b3c")
    leased(capture, 0, mac, "10.10.1.77", "DESKTOP-4F7K2QA", "udhcp 1.36.1", [1, 3, 6, 12, 15, 28, 42])
    speaks(capture, 30, mac, "10.10.1.77", LINUX, web_tls())


@scenario
def windows_desk(capture):
    mac = bytes.fromhex("0050561a2b3c")
    asked = [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]
    leased(capture, 0, mac, "10.10.1.77", "DESKTOP-4F7K2QA", "MSFT 5.0", asked)
    speaks(capture, 30, mac, "10.10.1.77", WINDOWS, web_tls())


def probes(capture, at, machine, sender, target):
    """An ARP probe of a machine (RFC 5227), with a hardware address as its sender's."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + bytes(4) + bytes(6) + packed(target)
    capture.add(at, b"\xff" * 6 + machine + b"\x08\x06" + body + bytes(18))


@scenario
def arp_channel(capture):
    machine = bytes.fromhex("005056000021")
    for number in range(40):
        probes(capture, 2 * number, machine, capture.random.randbytes(6), "10.10.1.200")


@scenario
def machines_take_addresses(capture):
    for number in range(30):
        machine = bytes.fromhex("0050560001") + bytes([number])
        for repeat in range(3):
            probes(capture, 2 * number + 1.5 * repeat, machine, machine, f"10.10.1.{100 + number}")


def posts(capture, desk, server, host, calls):
    for call in range(calls):
        at = call * 300 + capture.random.random() * 10
        body = b'{"username": "desk", "command": "none"}'
        head = f"POST /api/poll HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        flow = Tcp(capture, at, (desk, 40000 + call), (server, 80), far=0.001, near=0.05, hops=0)
        flow.say(head.encode() + b"\r\n\r\n" + body)
        flow.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True, 0.06)
        flow.close()


@scenario
def beacon_in_clear(capture):
    posts(capture, "10.10.1.21", "203.0.113.80", "203.0.113.80", 24)


@scenario
def updates_of_many(capture):
    for desk in range(4):
        posts(capture, f"10.10.1.{21 + desk}", "203.0.113.80", "updates.example.org", 24)


@scenario
def remote_access_product_in_clear(capture):
    """Two desks speak HTTP to one address: a client of NetSupport Manager, with the bytes that are published, and a browser."""
    flow = Tcp(capture, 0, ("10.10.1.21", 40000), ("203.0.113.81", 443), far=0.001, near=0.05, hops=0)
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length:    "
    for poll in range(3):
        flow.say(b"POST http://203.0.113.81/fakeurl.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3\r\n" + form +
                 b"22\r\nHost: 203.0.113.81\r\nConnection: Keep-Alive\r\n\r\nCMD=POLL\nINFO=1\nACK=1\n",
                 after=60 if poll else 0.001)
        flow.say(b"HTTP/1.1 200 OK\r\nServer: NetSupport Gateway/1.6 (Windows NT)\r\n" + form +
                 b"60\r\nConnection: Keep-Alive\r\n\r\nCMD=ENCD\nES=1\nDATA=" + capture.random.randbytes(41), True, 0.06)
    flow.close()
    flow = Tcp(capture, 5, ("10.10.1.22", 40000), ("203.0.113.81", 443), far=0.001, near=0.05, hops=0)
    flow.say(b"GET /fakeurl.htm HTTP/1.1\r\nHost: 203.0.113.81\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
             b"Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\n\r\n")
    flow.say(b"HTTP/1.1 404 Not Found\r\nServer: nginx/1.22.1\r\nContent-Length: 0\r\n\r\n", True, 0.06)
    flow.close()


@scenario
def encrypted_to_rented_machine(capture):
    """A connection in the manner of Shadowsocks: noise from its first byte on, now and then for twelve minutes."""
    flow = Tcp(capture, 0, ("10.10.1.21", 40000), ("203.0.113.70", 8388), far=0.001, near=0.05, hops=0)
    for number in range(48):
        flow.say(capture.random.randbytes(180 + number % 7 * 31), after=0.05 if number else 0.001)
        flow.say(capture.random.randbytes(600), True, 0.06)
        flow.at += 15
    flow.close()


def carried(capture, read_parts, upload_parts):
    tls = web_tls()
    visit(capture, 0, "10.10.1.21", "203.0.113.30", "github.com", tls, more=64000, parts=read_parts, from_server=True)
    visit(capture, HOUR, "10.10.1.21", "203.0.113.31", "g.api.mega.co.nz", tls, more=64000, parts=upload_parts)


@scenario
def code_and_cloud(capture):
    carried(capture, 3300, 3300)


@scenario
def some_code_and_cloud(capture):
    carried(capture, 1000, 1000)


def uploads(capture, last_parts):
    tls = web_tls()
    for day in range(13):
        parts = 20 + day % 4 * 5 if day < 12 else last_parts
        visit(capture, day * DAY, "10.10.1.21", "203.0.113.40", "files.example.org", tls, more=64000, parts=parts)


@scenario
def upload_beyond_usual(capture):
    uploads(capture, 8400)


@scenario
def uploads_as_usual(capture):
    uploads(capture, 700)


def calls(capture, days, parts_in):
    """A desk is in a call of Zoom for nine hours a day: twelve megabytes an hour go out, so many parts come back."""
    tls = web_tls()
    for day in range(days):
        visit(capture, day * DAY, "10.10.1.21", "203.0.113.50", "us04web.zoom.us", tls, more=200, parts=18, every=HOUR / 2)
        media = Udp(capture, ("10.10.1.21", 50000 + day), ("203.0.113.51", 8801))
        for part in range(9 * 200):
            at, head = day * DAY + 10 + 18 * part, struct.pack("!BBHII", 0x80, 0x62, part, part * 1620000, 7 + day)
            media.say(at, head, more=60000)
            if part % 200 < parts_in:
                media.say(at + 1, head, True, more=60000)


@scenario
def screen_shown_in_calls(capture):
    calls(capture, 3, 3)


@scenario
def long_calls(capture):
    calls(capture, 3, 100)


# Several signs of one.

def product(capture, at, desk, name, tls):
    visit(capture, at, desk, "203.0.113.20", name, tls)


def two_products(capture, desk, first_day, day):
    tls = web_tls()
    product(capture, 0, "10.10.1.21", "www.example.org", tls)
    product(capture, first_day * DAY, desk, "www.example.org", tls)
    product(capture, day * DAY + HOUR, desk, "relay-7.net.anydesk.com", tls)
    product(capture, day * DAY + 2 * HOUR, desk, "router9.teamviewer.com", tls)


@scenario
def new_device_with_two_products(capture):
    two_products(capture, "10.10.1.66", 15, 20)


@scenario
def known_device_with_two_products(capture):
    two_products(capture, "10.10.1.66", 15, 30)


@scenario
def ip_kvm_asks_for_address(capture):
    mac = bytes.fromhex("0200001a2b3c")
    leased(capture, 0, mac, "10.10.1.78", "pikvm", "dhcpcd-10.0.6:Linux", [1, 3, 6, 12, 15, 28, 42])


def announces(capture, name, service):
    """A machine announces itself by mDNS (RFC 6762)."""
    def labels(text):
        return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"
    pointer = labels(service) + struct.pack("!HHIH", 12, 1, 4500, len(labels(f"{name}.{service}")))
    address = labels(f"{name}.local") + struct.pack("!HHIH", 1, 0x8001, 120, 4) + packed("10.10.1.78")
    message = struct.pack("!HHHHHH", 0, 0x8400, 0, 2, 0, 0) + pointer + labels(f"{name}.{service}") + address
    Udp(capture, ("10.10.1.78", 5353), ("224.0.0.251", 5353), ttl=255).say(0, message)


@scenario
def ip_kvm_announces_itself(capture):
    announces(capture, "pikvm", "_pikvm._tcp.local")


@scenario
def printer_announces_itself(capture):
    announces(capture, "printer", "_ipp._tcp.local")


@scenario
def driven_out_of_sight(capture):
    tls = web_tls()
    product(capture, 0, "10.10.1.21", "relay-7.net.anydesk.com", tls)
    product(capture, HOUR, "10.10.1.21", "api.nordvpn.com", tls)
    posts(capture, "10.10.1.21", "203.0.113.80", "203.0.113.80", 24)


@scenario
def stolen_account_behind_a_vpn(capture):
    second_machine_of_account(capture)
    accounted(capture, HOUR, "ann", "198.18.7.7")
    accounted(capture, 2 * HOUR, "ann", "198.18.66.7")


# MS-RDPBCGR 4.1.1 to 4.1.4, without encryption: two channels, for drives and for the clipboard.
RDP_OPENING = (
    (False, "0300002c27e00000000000436f6f6b69653a206d737473686173683d656c746f6e730d0a0100080000000000"),
    (True, "030000130ed000001234000200080000000000"),
    (False, "030001a002f0807f658201940401010401010101ff30190201220201020201000201010201000201010202ffff0201023019"
        "02010102010102010102010102010002010102020420020102301c0202ffff0202fc170202ffff0201010201000201010202"
        "ffff02010204820133000500147c0001812a000800100001c00044756361811c01c0d800040008000005000401ca03aa0904"
        "0000ce0e000045004c0054004f004e0053002d0044004500560032000000000000000000000004000000000000000c000000"
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000001ca010000000000100007000100360039003700310032002d003700380033002d003000"
        "3300350037003900370034002d003400320037003100340000000000000000000000000000000000000000000000000004c0"
        "0c000d0000000000000002c00c001b0000000000000003c02c0003000000726470647200000000008080636c697072647200"
        "0000a0c0726470736e640000000000c0"),
    (True, "0300007102f0807f66670a0100020100301a020122020103020100020101020100020101020300fff8020102044300050014"
        "7c00012a14760a01010001c0004d63446e2c010c0c000400080000000000020c0c000000000000000000030c1400eb030400"
        "ec03ed03ee03ef03f0030000"),
)


@scenario
def operator_of_a_virtual_desktop(capture):
    neighbours(capture, 1460, [0.018 + 0.002 * number for number in range(10)])
    for day in range(3):
        for number in range(20):
            portal(capture, day, 1 + number, "198.18.66.7", 0.15, 0, None)
    flow = Tcp(capture, 3 * DAY, ("198.18.66.7", 40000), ("10.10.3.40", 3389), WINDOWS, far=0.15)
    for from_server, data in RDP_OPENING:
        flow.say(bytes.fromhex(data), from_server, after=0.15)
    flow.close()


@scenario
def insider_exit(capture):
    bound(capture, 0, "10.10.1.21", "eli")
    carried(capture, 3300, 3300)


# Places.

def places(path):
    """A database in MaxMind's format 2.0: both halves of 198.18.0.0/15, in two countries and systems, the first of them in
    two cities."""
    def text(value):
        return (bytes([0x40 | len(value)]) if len(value) < 29 else bytes([0x5D, len(value) - 29])) + value.encode()

    def number(value, kind=6):
        data = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return (bytes([len(data), kind - 7]) if kind > 7 else bytes([kind << 5 | len(data)])) + data

    def table(pairs):
        return bytes([0xE0 | len(pairs)]) + b"".join(text(key) + value for key, value in pairs)

    def real(value):
        return bytes([3 << 5 | 8]) + struct.pack("!d", value)

    def place(country, system, name, latitude, longitude):
        return table([("country", table([("iso_code", text(country))])), ("autonomous_system_number", number(system)),
                      ("autonomous_system_organization", text(name)),
                      ("location", table([("latitude", real(latitude)), ("longitude", real(longitude)),
                                          ("accuracy_radius", number(20, 5))]))])

    records = [(0xC612 << 1, 17, place("US", 64500, "Example Cable", 40.71, -74.01)),
               (0xC612 << 1 | 1, 17, place("US", 64500, "Example Cable", 34.05, -118.24)),
               (0xC613, 16, place("DE", 64501, "Example Online", 52.52, 13.4))]
    data, nodes = b"", [[None, None]]
    for prefix, length, record in records:
        node = 0
        for bit in range(length - 1, 0, -1):
            side = prefix >> bit & 1
            if nodes[node][side] is None:
                nodes.append([None, None])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][prefix & 1] = ("data", len(data))
        data += record
    count = len(nodes)

    def pointer(value):
        return count if value is None else count + 16 + value[1] if isinstance(value, tuple) else value

    tree = b"".join(pointer(value).to_bytes(3, "big") for node in nodes for value in node)
    about = table([("binary_format_major_version", number(2, 5)), ("binary_format_minor_version", bytes([0xA0])),
                   ("build_epoch", number(1795420800, 9)), ("database_type", text("Example")),
                   ("description", table([("en", text("Places of the simulated scenarios"))])),
                   ("ip_version", number(4, 5)), ("languages", bytes([0, 4])), ("node_count", number(count)),
                   ("record_size", number(24, 5))])
    with open(path, "wb") as file:
        file.write(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + about)


def main():
    name, path = sys.argv[1:]
    if name == "places":
        return places(path)
    capture = Capture()
    SCENARIOS[name](capture)
    capture.write(path)


if __name__ == "__main__":
    main()
