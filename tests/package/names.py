"""Looks names up with a static keepscope, in a folder that has nothing else: names.py FOLDER, in a network of its own.

The folder gets an etc/hosts with one name and an etc/resolv.conf with a name server, which is here and knows another.
Each name, and one that neither knows, is probed; what came of it is one line of JSON.
"""

import json
import pathlib
import socket
import struct
import subprocess
import sys
import threading


def serve_names(server):
    """Answers questions for dns.example; any other name there is none."""
    while True:
        question, client = server.recvfrom(512)
        end = 12 + question[12:].index(0) + 5
        known = question[12:end - 4] == b"\x03dns\x07example\x00"
        address = known and question[end - 4:end - 2] == b"\x00\x01"
        answer = b"\xc0\x0c" + struct.pack("!HHIH4B", 1, 1, 60, 4, 127, 0, 0, 1) if address else b""
        header = struct.pack("!5H", 0x8180 if known else 0x8183, 1, int(address), 0, 0)
        server.sendto(question[:2] + header + question[12:end] + answer, client)


def accept(listener, held):
    while True:
        held.append(listener.accept())


def main():
    folder = pathlib.Path(sys.argv[1])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "etc").mkdir()
    (folder / "etc/hosts").write_text("127.0.0.1 hosts.example\n")
    (folder / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    # Sources that are libraries, as desktops have them: there are none here, so they are passed over.
    sources = "hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n"
    (folder / "etc/nsswitch.conf").write_text(sources)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve_names, args=[server], daemon=True).start()
    threading.Thread(target=accept, args=[listener, []], daemon=True).start()
    for name in ["hosts.example", "dns.example", "no-such.example"]:
        peer = f"{name}:{listener.getsockname()[1]}"
        command = ["chroot", folder, "/keepscope", "probe", "--rounds", "1", peer]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        print(json.dumps({"name": name, "code": done.returncode, "said": done.stdout + done.stderr}))


main()
