"""Joins two network namespaces by TUN devices of the same name: what one is given, the other delivers.

    tun.py NAMESPACE NAMESPACE DEVICE

Says "ready" when the devices are there; goes on until its standard input is closed.
"""

import ctypes
import fcntl
import os
import selectors
import struct
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x1001


def tun(namespace, device):
    with open(f"/run/netns/{namespace}") as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN_NO_PI))
    return fd


one, other = (tun(namespace, sys.argv[3]) for namespace in sys.argv[1:3])
across = {one: other, other: one}
selector = selectors.DefaultSelector()
for fd in (one, other, 0):
    selector.register(fd, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        if key.fd == 0:
            sys.exit()
        try:
            os.write(across[key.fd], os.read(key.fd, 65536))
        except OSError:
            pass  # a device that is down loses what it is given
