#!/bin/bash
# gro-drops-counted-once.sh: a UDP socket with UDP_GRO counts a whole train of datagrams that it
# drops as one.
# SPDX-License-Identifier: MIT
#
# SO_RXQ_OVFL, as the column "drops" of /proc/net/udp, says how many datagrams found a socket's
# buffer full: datagrams, as long as each is queued for itself. With UDP_GRO what arrives in one
# train, as UDP_SEGMENT sends it over loopback and veth and as a network card joins it, is queued,
# or dropped, as one buffer, and counted as one. So a receiver that turns UDP_GRO on sees its
# drops fall to a fortieth while it loses as many datagrams as before, and whoever works out a
# loss rate from the counter is wrong by a factor that depends on how the senders batch.
#
# Seen: Linux 6.18. Of 801 datagrams in trains of 40, without UDP_GRO 735 were lost and 735
# counted; with it 720 were lost and 18 counted.
#
# No package is needed but a python3 with its own modules: the kernel is what is looked at.
#
# usage: findings/gro-drops-counted-once.sh    exits with 1 if that has changed
set -euo pipefail

uname -sr
exec python3 - <<'PYTHON'
import socket
import struct
import sys

UDP_SEGMENT, UDP_GRO, SO_RXQ_OVFL = 103, 104, 40  # of the kernel's headers
TRAIN, TRAINS, LEN = 40, 20, 1000


def drain(receiver):
    """Everything that is queued: datagrams, and the last count of drops that came with one."""
    taken = drops = 0
    while True:
        try:
            data, controls, _, _ = receiver.recvmsg(65536, 256)
        except BlockingIOError:
            return taken, drops
        taken += -(-len(data) // LEN)
        for level, kind, value in controls:
            if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                (drops,) = struct.unpack("I", value)


def lost_and_counted(joins):
    """Overfills a small buffer by loopback. What a drop brings is told with the next datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 60000)
        receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        receiver.setsockopt(socket.IPPROTO_UDP, UDP_GRO, int(joins))
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        segment = (socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", LEN))
        for _ in range(TRAINS):
            sender.sendmsg([bytes(TRAIN * LEN)], [segment])
        taken, _ = drain(receiver)
        sender.send(bytes(LEN))
        last, counted = drain(receiver)
        return TRAIN * TRAINS + 1 - taken - last, counted


failed = False
for joins in (False, True):
    lost, counted = lost_and_counted(joins)
    print("UDP_GRO %-3s  lost %3d, counted %3d" % ("on" if joins else "off", lost, counted))
    failed |= lost == 0 or (counted * TRAIN != lost if joins else counted != lost)
sys.exit(failed)
PYTHON
