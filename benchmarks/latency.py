"""Two network namespaces with a link between them that takes a given time each way. (Linux, as root)

As `tc netem` does it, for kernels that come without: a process reads each packet from one TUN device and writes it to
the other when it is due. TCP segments come in the large pieces of segmentation offload (an MTU of 1,500 all the same),
so that Python keeps up. With the processes that hold them, namespaces and link are gone.
"""

import fcntl
import os
import select
import struct
import subprocess
import time
from collections import deque
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

NEAR, FAR = "10.98.76.1", "10.98.76.2"
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0  # linux/if_tun.h
TUN, NO_PACKET_INFORMATION, OFFLOAD_HEADER = 0x0001, 0x1000, 0x4000
CHECKSUMS, SEGMENTS = 0x01, 0x02
PACKET = 70_000  # bytes; a packet has 65,535 at most, and a header


def linked(stack: ExitStack, delay: float) -> tuple[list[str], list[str]]:
    """Return what a command begins with to run at NEAR, and at FAR; packets take `delay` seconds each way.

    The closing of `stack` ends it all.
    """
    holders = [subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) for _ in range(2)]
    for holder in holders:
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        own, deadline = Path("/proc/self/ns/net").readlink(), time.monotonic() + 10
        while Path(f"/proc/{holder.pid}/ns/net").readlink() == own:
            if time.monotonic() > deadline:
                raise RuntimeError("no network namespace: is this root?")
            time.sleep(0.01)
    devices = [_tun(f"slow{os.getpid()}-{side}"[-15:]) for side in "ab"]
    enter = [["nsenter", f"--net=/proc/{holder.pid}/ns/net"] for holder in holders]
    for (name, _), holder, prefix, address in zip(devices, holders, enter, (NEAR, FAR), strict=True):
        subprocess.run(["ip", "link", "set", name, "netns", str(holder.pid)], check=True)
        for command in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", f"{address}/30", "dev", name],
            ["ip", "link", "set", name, "up", "txqueuelen", "10000"],
        ):
            subprocess.run([*prefix, *command], check=True)
    forwarder = get_context("fork").Process(target=_forward, args=([fd for _, fd in devices], delay), daemon=True)
    forwarder.start()
    for _, fd in devices:
        os.close(fd)
    stack.callback(forwarder.join)
    stack.callback(forwarder.kill)
    return enter[0], enter[1]


def _tun(name: str) -> tuple[str, int]:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), TUN | NO_PACKET_INFORMATION | OFFLOAD_HEADER))
    fcntl.ioctl(fd, TUNSETOFFLOAD, CHECKSUMS | SEGMENTS)
    return name, fd


def _forward(fds: list[int], delay: float) -> None:
    other = dict(zip(fds, reversed(fds), strict=True))
    waiting: deque[tuple[float, int, bytes]] = deque()  # when each is due, and where; in order, as all take as long
    while True:
        timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select(fds, [], [], timeout)
        for fd in readable:
            packet = os.read(fd, PACKET)
            waiting.append((time.monotonic() + delay, other[fd], packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, fd, packet = waiting.popleft()
            os.write(fd, packet)
