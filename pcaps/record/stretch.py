#!/usr/bin/env python3
"""Stretches the later part of a capture in time: stretch.py FILE AFTER BY

A session of a whole day is recorded in a minute. The first AFTER seconds stay as they are, handshakes and round trips
with them; what follows is BY times as far apart. The file (classic pcap, microseconds, little-endian) is rewritten.
"""
import struct
import sys

path, after, by = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with open(path, "rb") as file:
    data = file.read()
assert data[:4] == b"\xd4\xc3\xb2\xa1", "not a little-endian pcap file with microseconds"
out, at, start = [data[:24]], 24, None
while at + 16 <= len(data):
    seconds, micros, captured, length = struct.unpack_from("<IIII", data, at)
    time = seconds * 1_000_000 + micros
    start = time if start is None else start
    since = time - start
    edge = int(after * 1_000_000)
    since = since if since <= edge else edge + int((since - edge) * by)
    seconds, micros = divmod(start + since, 1_000_000)
    out += [struct.pack("<IIII", seconds, micros, captured, length), data[at + 16:at + 16 + captured]]
    at += 16 + captured
with open(path, "wb") as file:
    file.write(b"".join(out))
