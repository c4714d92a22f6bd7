"""A program with one connection, which does only what it is told on standard input, a line at a time.

    idle.py serve ADDRESS        accepts one connection; says its port first
    idle.py connect ADDRESS PORT
"""

import os
import signal
import socket
import struct
import sys

SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT = 9, 4, 5, 6


def say(*words):
    print(*words, flush=True)


def opened(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family)
    if port is not None:
        one.connect((address, port))
        return one
    one.bind((address, 0))
    one.listen(1)
    say("port", one.getsockname()[1])
    return one.accept()[0]


def hear(one, count):
    heard = b""
    while len(heard) < count:
        more = one.recv(count - len(heard))
        if not more:
            break
        heard += more
    return heard.decode()


def main():
    one = opened(sys.argv[2], int(sys.argv[3]) if sys.argv[1] == "connect" else None)
    say("open", one.getsockname()[1])
    for line in sys.stdin:
        command, *words = line.split()
        if command == "send":
            one.sendall(words[0].encode())
            say("sent")
        elif command == "hear":
            say("heard", hear(one, int(words[0])))
        elif command == "keepalive":
            for option, value in zip((TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT), words):
                one.setsockopt(socket.IPPROTO_TCP, option, int(value))
            one.setsockopt(socket.SOL_SOCKET, SO_KEEPALIVE, 1)
            say("set")
        elif command == "forget":
            # With a RST, which the test sees to that nobody gets.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            say("forgot")
        elif command == "inherit":
            child = os.fork()
            if child == 0:
                signal.pause()
            say("child", child)


main()
