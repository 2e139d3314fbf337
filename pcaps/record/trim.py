#!/usr/bin/env python3
"""Cuts off what OpenVPN carries: trim.py FILE

Of each data packet (P_DATA_V1 and P_DATA_V2 on UDP port 1194) the headers and the first 16 bytes stay, as a capture with a
short snap length has them; its length on the wire stays as it was. The file (classic pcap of Ethernet frames,
little-endian) is rewritten.
"""
import struct
import sys

KEPT, DATA = 16, (6, 9)

with open(sys.argv[1], "rb") as file:
    data = file.read()
assert data[:4] == b"\xd4\xc3\xb2\xa1", "not a little-endian pcap file with microseconds"
out, at = [data[:24]], 24
while at + 16 <= len(data):
    seconds, micros, captured, length = struct.unpack_from("<IIII", data, at)
    frame = data[at + 16:at + 16 + captured]
    at += 16 + captured
    udp = 14 + (frame[14] & 15) * 4 if len(frame) > 34 and frame[12:14] == b"\x08\x00" and frame[23] == 17 else None
    if udp and 1194 in struct.unpack_from(">HH", frame, udp) and frame[udp + 8] >> 3 in DATA:
        frame = frame[:udp + 8 + KEPT]
    out += [struct.pack("<IIII", seconds, micros, len(frame), length), frame]
with open(sys.argv[1], "wb") as file:
    file.write(b"".join(out))
