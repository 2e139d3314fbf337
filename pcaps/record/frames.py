"""Frames with real bytes at chosen times: what the simulated scenarios are made of.

A capture takes frames in any order and writes them in that of time. Handshakes of TLS are OpenSSL's own, made by Python's
`ssl` between two ends in memory; TCP's options are those of the named stack.
"""
import ipaddress
import os
import random
import ssl
import struct
import subprocess
import tempfile

START = 1_795_420_800  # 2026-11-23 08:00 UTC, a Monday
ROUTER = bytes.fromhex("020000000002")

# TTL, window, options behind the segment size.
LINUX = (64, 64240, bytes([4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7]))
WINDOWS = (128, 64240, bytes([1, 3, 3, 8, 1, 1, 4, 2]))


class Capture:
    """Frames with their times in seconds since the start."""

    def __init__(self, snap=65535):
        self.frames, self.snap = [], snap
        self.random = random.Random(1)

    def add(self, at, frame, length=None):
        self.frames.append((at, len(self.frames), frame[: self.snap], length or len(frame)))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for at, _, frame, length in sorted(self.frames, key=lambda entry: entry[:2]):
                micros = round((START + at) * 1_000_000)
                file.write(struct.pack("<IIII", *divmod(micros, 1_000_000), len(frame), length))
                file.write(frame)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def mac_of(address):
    """Machines inside have their own; everything else comes from the router."""
    octets = packed(address)
    return bytes.fromhex("005056") + octets[1:] if octets[0] == 10 else ROUTER


def ip_frame(source, target, protocol, body, ttl, source_mac, target_mac, more=0, number=0):
    """An Ethernet frame of IPv4. `more` bytes of the packet are not in it, as if the mirror had cut them."""
    length = 20 + len(body) + more
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, number, 0x4000, ttl, protocol, 0, packed(source), packed(target))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return target_mac + source_mac + b"\x08\0" + head + body


def packed(address):
    return ipaddress.ip_address(address).packed


def with_checksum(source, target, protocol, segment, place, more=0):
    pseudo = packed(source) + packed(target) + struct.pack("!BBH", 0, protocol, len(segment))
    value = 0 if more else checksum(pseudo + segment)
    return segment[:place] + struct.pack("!H", value) + segment[place + 2 :]


class Udp:
    """Datagrams between two ends, each an address and a port."""

    def __init__(self, capture, client, server, client_mac=None, ttl=64):
        self.capture, self.client, self.server, self.ttl = capture, client, server, ttl
        self.macs = (client_mac or mac_of(client[0]), mac_of(server[0]))

    def say(self, at, data, from_server=False, more=0):
        """A datagram; `more` bytes of its payload are sent and not captured."""
        source, target = (self.server, self.client) if from_server else (self.client, self.server)
        datagram = struct.pack("!HHHH", source[1], target[1], 8 + len(data) + more, 0) + data
        datagram = with_checksum(source[0], target[0], 17, datagram, 6, more)
        macs = self.macs[::-1] if from_server else self.macs
        frame = ip_frame(source[0], target[0], 17, datagram, self.ttl, *macs, more)
        self.capture.add(at, frame, len(frame) + more)


class Tcp:
    """A connection at a tap: `far` is the round trip to the client, `near` that to the server, in seconds. `numbers` are
    the identifications of the client's packets, zeros if there are none."""

    def __init__(self, capture, at, client, server, stack=LINUX, mss=1460, far=0.02, near=0.001, client_mac=None, hops=7,
                 numbers=None):
        self.capture, self.client, self.server, self.numbers = capture, client, server, numbers
        self.macs = (client_mac or mac_of(client[0]), mac_of(server[0]))
        self.ttl = (stack[0] - hops, 63)
        self.sequence = [capture.random.randrange(1 << 32), capture.random.randrange(1 << 32)]
        options = struct.pack("!BBH", 2, 4, mss) + stack[2]
        self.segment(at, 0, 0x02, b"", stack[1], options)
        self.segment(at + near, 1, 0x12, b"", 65160, struct.pack("!BBH", 2, 4, 1460) + LINUX[2])
        self.at = at + near + far
        self.segment(self.at, 0, 0x10)

    def segment(self, at, side, flags, data=b"", window=501, options=b"", more=0):
        """One segment; `more` bytes of its payload are sent and not captured."""
        ends = (self.client, self.server) if side == 0 else (self.server, self.client)
        options += b"\1" * (-len(options) % 4)
        acknowledged = self.sequence[1 - side] if flags & 0x10 else 0
        head = struct.pack("!HHIIBBHHH", ends[0][1], ends[1][1], self.sequence[side], acknowledged,
                           (20 + len(options)) // 4 << 4, flags, window, 0, 0)
        segment = with_checksum(ends[0][0], ends[1][0], 6, head + options + data, 16, more)
        macs = self.macs if side == 0 else self.macs[::-1]
        number = next(self.numbers) % 65536 if self.numbers and side == 0 else 0
        frame = ip_frame(ends[0][0], ends[1][0], 6, segment, self.ttl[side], *macs, more, number)
        self.capture.add(at, frame, len(frame) + more)
        self.sequence[side] = (self.sequence[side] + len(data) + more + (1 if flags & 0x03 else 0)) % (1 << 32)

    def say(self, data, from_server=False, after=0.001, more=0):
        """Sends data so long after what was said before."""
        self.at += after
        size = 1400
        parts = [data[place : place + size] for place in range(0, len(data), size)]
        for number, part in enumerate(parts):
            self.at += 0.00001
            self.segment(self.at, int(from_server), 0x18, part, more=more if number == len(parts) - 1 else 0)

    def close(self, after=0.1):
        self.at += after
        self.segment(self.at, 0, 0x11)
        self.segment(self.at + 0.001, 1, 0x11)
        self.segment(self.at + 0.03, 0, 0x10)


def certificate(subject):
    """A self-signed certificate and its key, in one file."""
    path = tempfile.mkdtemp() + "/both.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "3650", "-subj", subject, "-keyout", path + ".key", "-out", path + ".crt"],
                   check=True, capture_output=True)
    with open(path, "wb") as both:
        for part in (".key", ".crt"):
            with open(path + part, "rb") as file:
                both.write(file.read())
            os.unlink(path + part)
    return path


class Tls:
    """A handshake between two ends in memory: flights of alternating sides, the client's first."""

    def __init__(self, server_certificate, version=None, client_certificate=None):
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(server_certificate)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname, self.client.verify_mode = False, ssl.CERT_NONE
        if version:
            self.server.maximum_version = self.client.maximum_version = version
        if client_certificate:
            self.server.load_verify_locations(client_certificate)
            self.server.verify_mode = ssl.CERT_REQUIRED
            self.client.load_cert_chain(client_certificate)

    def flights(self, name):
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.client.wrap_bio(to_client, to_server, server_hostname=name)
        server = self.server.wrap_bio(to_server, to_client, server_side=True)
        flights, done = [], set()
        while len(done) < 2:
            for end, out, goes_to in ((client, to_server, to_server), (server, to_client, to_client)):
                before = goes_to.pending
                try:
                    end.do_handshake()
                    done.add(end)
                except ssl.SSLWantReadError:
                    pass
                data = out.read()[before:]
                if data:
                    flights.append((end is server, data))
                out.write(data)
        return flights

    def speak(self, tcp, name, far=0.02, near=0.002):
        """Plays a handshake on a connection: the client answers `far` after the server's flight."""
        for number, (from_server, data) in enumerate(self.flights(name)):
            tcp.say(data, from_server, near if from_server else far if number else 0.001)
