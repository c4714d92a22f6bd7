"""A program that listens.

    listen.py ADDRESS PORT [IDLE INTERVAL COUNT]

With times its socket has keepalives. Says "ready"; then takes orders from standard input, one a line:
    accept                       accepts a connection and holds it; says "accepted"
    accept IDLE INTERVAL COUNT   the same, and switches keepalives on
"""

import socket
import sys


def keepalive(own, times):
    for level, name, value in zip(
        [socket.SOL_SOCKET] + 3 * [socket.IPPROTO_TCP],
        [socket.SO_KEEPALIVE, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT],
        [1] + [int(time) for time in times],
    ):
        own.setsockopt(level, name, value)


address, port, *times = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
listener = socket.socket(family)
for name in [socket.SO_REUSEADDR, socket.SO_REUSEPORT]:
    listener.setsockopt(socket.SOL_SOCKET, name, 1)
if times:
    keepalive(listener, times)
listener.bind((address, int(port)))
listener.listen()
print("ready", flush=True)
held = []
for line in sys.stdin:
    _, *times = line.split()
    connection, _ = listener.accept()
    if times:
        keepalive(connection, times)
    held.append(connection)
    print("accepted", flush=True)
