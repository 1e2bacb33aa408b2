"""Hosts of a small network: network namespaces of this machine, whose cable is a thread that loses and delays packets.

Each host has a name, an address and one interface (`lfb0`), a TAP device whose other end the thread holds. So a cut cable
is what it is in a machine room: nobody gets a FIN or a RST, packets just no longer arrive.
"""

import array
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress

INTERFACE = "lfb0"
_NEW_NETWORK, _NEW_NAME, _NEW_MOUNTS = 0x40000000, 0x04000000, 0x00020000  # of unshare(2)
_BIND, _PRIVATE_BELOW = 0x1000, 0x44000  # of mount(2)
_SET_DEVICE, _SET_FLAGS, _SET_ADDRESS, _SET_MASK = 0x400454CA, 0x8914, 0x8916, 0x891C
_TAP, _NO_HEADER, _UP = 0x0002, 0x1000, 0x1
_LONGEST_PACKET = 65536


class Host:
    """A namespace, kept by a process that waits in it."""

    def __init__(self, name, address):
        self.name, self.address = name, address
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [sys.executable, "-S", __file__, name, address, str(theirs.fileno())]
            self._keeper = subprocess.Popen(arguments, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
        with ours:
            _, extra, *_ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        if not extra:
            raise OSError(self._keeper.communicate()[1].decode())
        self.cable = array.array("i", extra[0][2])[0]

    def command(self, *arguments, folder):
        """The command line that runs another one on this host, in a folder."""
        kinds = {"net": "net", "uts": "uts", "mount": "mnt"}
        inside = [f"--{option}=/proc/{self._keeper.pid}/ns/{kind}" for option, kind in kinds.items()]
        return ["nsenter", *inside, "--", "env", f"--chdir={folder}", *map(str, arguments)]

    def close(self):
        os.close(self.cable)
        self._keeper.kill()
        self._keeper.communicate()


class Network(threading.Thread):
    """The cable between hosts: every packet reaches all others, unless it is lost or one of the two is cut off."""

    def __init__(self, names):
        super().__init__(daemon=True)
        self.loss, self.delay, self.packets, self.lost = 0.0, 0.0, 0, 0
        self.cut = set()  # hosts
        self.hosts = [Host(name, f"10.77.0.{number}") for number, name in enumerate(names, start=1)]
        self._ended = False
        self._random = random.Random(0)

    def run(self):
        waiting, number = [], 0
        by_cable = {host.cable: host for host in self.hosts}
        while not self._ended:
            patience = 0.05 if not waiting else max(0.0, min(0.05, waiting[0][0] - time.monotonic()))
            for cable in select.select(list(by_cable), [], [], patience)[0]:
                packet = os.read(cable, _LONGEST_PACKET)
                for host in self.hosts:
                    if host is not by_cable[cable] and self._passes(by_cable[cable], host):
                        number += 1  # packets of one moment stay in their order
                        heapq.heappush(waiting, (time.monotonic() + self.delay, number, host.cable, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, cable, packet = heapq.heappop(waiting)
                with suppress(OSError):
                    os.write(cable, packet)

    def close(self):
        self._ended = True
        self.join()
        for host in self.hosts:
            host.close()

    def _passes(self, sender, receiver):
        self.packets += 1
        passes = not self.cut & {sender, receiver} and self._random.random() >= self.loss
        self.lost += not passes
        return passes


@contextmanager
def network(*names):
    """A network of hosts of these names."""
    made = Network(names)
    made.start()
    try:
        yield made
    finally:
        made.close()


def can_make_hosts():
    """Say whether this process may make network namespaces and the devices in them."""
    if shutil.which("nsenter") is None or not sys.platform.startswith("linux"):
        return False
    try:
        Host("probe", "10.77.0.9").close()
    except OSError:
        return False
    return True


def _be(name, address, socket_number):
    """Become the host: new namespaces, the device, its address; hand the device over, and wait."""
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.NamedTemporaryFile("w") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{address} {name}\n")
        hosts.flush()
        if (
            libc.unshare(_NEW_NETWORK | _NEW_NAME | _NEW_MOUNTS)
            or libc.mount(None, b"/", None, _PRIVATE_BELOW, None)
            or libc.mount(hosts.name.encode(), b"/etc/hosts", None, _BIND, None)
        ):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    socket.sethostname(name)
    cable = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(cable, _SET_DEVICE, struct.pack("16sH22x", INTERFACE.encode(), _TAP | _NO_HEADER))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SET_ADDRESS, address), (_SET_MASK, "255.255.255.0")):
            packed = struct.pack("16sHH4s8x", INTERFACE.encode(), socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, request, packed)
        for device in (INTERFACE, "lo"):
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", device.encode(), _UP))
    with socket.socket(fileno=socket_number) as starter:
        socket.send_fds(starter, [b"."], [cable])
    os.close(cable)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with the process that started it
    signal.pause()


if __name__ == "__main__":
    _be(sys.argv[1], sys.argv[2], int(sys.argv[3]))
