"""A long and lossy wire between two network namespaces.

    wire.py NAMESPACE ADDRESS NAMESPACE ADDRESS DELAY LOSS

Gives each namespace a device `wire` with its ADDRESS (in the same network). Each packet sent into one comes out of the
other after DELAY seconds, or is lost with probability LOSS, independently. Prints `ready` when the wire exists, which
it does until standard input ends.

The kernel's netem does the same. But small kernels, as of many virtual machines, lack it; and on a veth pair it would
treat a bundle of up to 64 KiB as one packet, which a real wire never carries. Needs /dev/net/tun, `ip`, and root.
"""
import collections
import fcntl
import ipaddress
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MTU = 1500


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def end_of_wire(name, namespace, address):
    """Creates the device here, where this process holds it, and moves it to the namespace."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", name, "netns", namespace)
    within = ("-n", namespace)
    ip(*within, "link", "set", name, "name", "wire", "mtu", str(MTU), "txqueuelen", "10000")
    ip(*within, "address", "add", address, "dev", "wire")
    ip(*within, "link", "set", "wire", "up")
    ip(*within, "link", "set", "lo", "up")
    # The default on nearly every machine. Here it may be another that does not react to losses. Set on the route, since
    # a namespace may not choose for itself.
    network = str(ipaddress.ip_interface(address).network)
    ip(*within, "route", "replace", network, "dev", "wire", "congctl", "cubic")
    return device


def receive(device, loss, delay, line):
    """Receives up to a few hundred packets, so that packets that are due do not wait."""
    for _ in range(256):
        try:
            packet = os.read(device, MTU + 100)
        except BlockingIOError:
            return
        if random.random() >= loss:
            line.append((time.monotonic() + delay, packet))


def deliver(device, line):
    now = time.monotonic()
    while line and line[0][0] <= now:
        try:
            os.write(device, line[0][1])
        except BlockingIOError:
            return
        line.popleft()


def main():
    near, near_address, far, far_address, delay, loss = sys.argv[1:]
    delay, loss = float(delay), float(loss)
    ends = [end_of_wire("depot-near", near, near_address), end_of_wire("depot-far", far, far_address)]
    # Packets in flight to each end.
    lines = {end: collections.deque() for end in ends}
    others = dict(zip(ends, reversed(ends)))
    print("ready", flush=True)
    while True:
        due = [line[0][0] for line in lines.values() if line]
        wait = max(0.0, min(due) - time.monotonic()) if due else None
        readable, _, _ = select.select([0, *ends], [], [], wait)
        if 0 in readable and not os.read(0, 1024):
            return
        for end in ends:
            if end in readable:
                receive(end, loss, delay, lines[others[end]])
        for end, line in lines.items():
            deliver(end, line)


main()
