"""Two network namespaces per lab: the bastion with two legs, and the private network behind it.

    this machine 10.213.N.1 ---- 10.213.N.2 bastion 10.214.N.1 ---- 10.214.N.10 node1

Nothing forwards packets and this machine holds an "unreachable" route for the private network, so the bastion's
processes are the only way in. N is the first free number, so labs can run beside each other.
"""

import contextlib
import fcntl
import json
import os
import time

from .processes import LabError, run

LOCK = "/run/lock/bastion-lab"
HIGHEST_INDEX = 199


class Network:
    def __init__(self, index):
        self.index = index
        self.bastion = f"bastion-{index}"       # network namespaces
        self.private = f"private-{index}"
        self.link = f"bastion-lab-{index}"      # this machine's end of the cable to the bastion
        self.user_ip = f"10.213.{index}.1"
        self.bastion_ip = f"10.213.{index}.2"
        self.egress_ip = f"10.214.{index}.1"    # the address that node1 sees
        self.node_ip = f"10.214.{index}.10"
        self.absent_ip = f"10.214.{index}.99"   # inside the private network, nobody there
        self.user_net = f"10.213.{index}.0/24"
        self.private_net = f"10.214.{index}.0/24"

    def create(self):
        run("ip", "netns", "add", self.bastion)
        run("ip", "netns", "add", self.private)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "user", "netns", self.bastion)
        run("ip", "-n", self.bastion, "link", "add", "private", "type", "veth", "peer", "name", "eth0",
            "netns", self.private)
        run("ip", "address", "add", f"{self.user_ip}/24", "dev", self.link)
        run("ip", "link", "set", self.link, "up")
        run("ip", "route", "add", "unreachable", self.private_net)
        for namespace, device, address in ((self.bastion, "user", self.bastion_ip),
                                           (self.bastion, "private", self.egress_ip),
                                           (self.private, "eth0", self.node_ip)):
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", namespace, "link", "set", device, "up")
        run("ip", "netns", "exec", self.bastion, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward")

    def destroy(self):
        """Takes away what create() made, in any half-made state."""
        run("ip", "route", "del", "unreachable", self.private_net, check=False)
        run("ip", "link", "del", self.link, check=False)
        for namespace in (self.bastion, self.private):
            run("ip", "netns", "del", namespace, check=False)

    def is_taken(self):
        if os.path.exists(f"/run/netns/{self.bastion}") or os.path.exists(f"/run/netns/{self.private}"):
            return True
        in_use = (f"10.213.{self.index}.", f"10.214.{self.index}.")
        addresses = json.loads(run("ip", "-json", "address").stdout)
        routes = json.loads(run("ip", "-json", "route", "show", "table", "all").stdout)
        return (any(info.get("local", "").startswith(in_use)
                    for link in addresses for info in link.get("addr_info", []))
                or any(route.get("dst", "").startswith(in_use) for route in routes))

    def wait_for_port(self, port, seconds, namespace=None):
        """True once something listens on `port` inside the namespace."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            seen = run("ip", "netns", "exec", namespace or self.private, "ss", "-Hltn", f"sport = :{port}",
                       check=False)
            if seen.stdout.strip():
                return True
            time.sleep(0.05)
        return False


@contextlib.contextmanager
def _allocation_lock():
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    with open(LOCK, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def allocate():
    """Create the network of a new lab under the first free number."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces")
    with _allocation_lock():
        for index in range(HIGHEST_INDEX + 1):
            network = Network(index)
            if network.is_taken():
                continue
            try:
                network.create()
            except LabError:
                network.destroy()
                raise
            return network
    raise LabError(f"all {HIGHEST_INDEX + 1} lab networks are taken: `ip netns list` shows them")
