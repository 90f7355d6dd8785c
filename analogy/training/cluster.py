"""Workers: processes, usually on several machines, that train one run together. What TF_CONFIG says; waiting for the others.

It imports no TensorFlow, so that a mistake in TF_CONFIG, or a worker that does not come, is found and said at once.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import time
from typing import NamedTuple

from analogy.errors import UserError

ROLES = ("chief", "worker")
PATIENCE = "ANALOGY_WORKERS_SECONDS"  # environment variable: how long to wait for the other workers
SECONDS_TO_WAIT = 600.0
SECONDS_TO_WORDS = 10.0  # of waiting, after which the missing workers are named
MEND = "unset TF_CONFIG to train with one process, or mend it"
log = logging.getLogger("analogy")


class Cluster(NamedTuple):
    """All workers, and which of them this process is.

    addresses: name, such as "worker 0" -> "host:port". own: the name of this process. source: where this was read.
    """

    addresses: dict[str, str]
    own: str
    source: str = "TF_CONFIG"

    @property
    def port(self) -> int:
        """The port of this process."""
        return _split(self.addresses[self.own])[1]


def read_cluster() -> Cluster | None:
    """What TF_CONFIG says; None where it names no more than this process. Raises UserError."""
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"TF_CONFIG is not JSON ({error}); {MEND}") from error
    if not isinstance(content, dict):
        raise UserError(f'TF_CONFIG is no JSON object with "cluster" and "task"; {MEND}')
    if content and "cluster" not in content:  # each worker would train a run of its own
        raise UserError(f'TF_CONFIG: there is no "cluster" in it, only {", ".join(content)}; {MEND}')
    addresses = _read_addresses(content.get("cluster", {}))
    if not addresses:
        return None
    cluster = Cluster(addresses, _read_task(content.get("task"), addresses))
    return cluster if len(addresses) > 1 else None


def _read_addresses(roles: object) -> dict[str, str]:
    """The value of "cluster" -> name of each worker -> its address. Raises UserError."""
    if not isinstance(roles, dict):
        raise UserError(f'TF_CONFIG: cluster: expected roles, such as {{"worker": ["host:port", ...]}}; {MEND}')
    addresses: dict[str, str] = {}
    for role, places in roles.items():
        if role not in ROLES:
            raise UserError(f"TF_CONFIG: cluster: there is no role {role} in this training, only chief and worker; {MEND}")
        if not isinstance(places, list):
            raise UserError(f'TF_CONFIG: cluster: {role}: expected a list of addresses, such as ["host:port"]; {MEND}')
        for index, place in enumerate(places):
            if not isinstance(place, str) or _split(place) is None:
                raise UserError(f"TF_CONFIG: cluster: {role} {index}: {place!r} is no address host:port; {MEND}")
            if _split(place) in map(_split, addresses.values()):  # "a:1" and "a:01" too
                raise UserError(f"TF_CONFIG: cluster: {place} stands there twice; give each worker a port of its own")
            addresses[f"{role} {index}"] = place
    if "chief 1" in addresses:
        raise UserError(f"TF_CONFIG: cluster: there is more than one chief; name the others as workers, or {MEND}")
    return addresses


def _read_task(task: object, addresses: dict[str, str]) -> str:
    """The value of "task" -> the name of the worker that this process is. Raises UserError."""
    if not isinstance(task, dict) or "type" not in task or "index" not in task:
        raise UserError(f'TF_CONFIG: task: expected which worker this process is: {{"type": "worker", "index": 0}}; {MEND}')
    name = f"{task['type']} {task['index']}"
    if name not in addresses:
        raise UserError(f"TF_CONFIG: task: there is no {name} in the cluster, only {', '.join(addresses)}; {MEND}")
    return name


def _split(address: str) -> tuple[str, int] | None:
    """ "host:port" -> (host, port); None where it is no such text."""
    host, _, port = address.rpartition(":")
    good = re.fullmatch(r"[^\s/]+", host) and port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536
    return (host.strip("[]"), int(port)) if good else None


def patience() -> float:
    """How many seconds to wait for the other workers. Raises UserError."""
    text = os.environ.get(PATIENCE) or str(SECONDS_TO_WAIT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e7:
        raise UserError(f"{PATIENCE} is {text}: give a number of seconds above 0")
    return seconds


def wait_for_workers(cluster: Cluster, seconds: float) -> None:
    """Wait until every other worker has answered at its address. TensorFlow itself would wait without a word, and deaf to
    signals.

    This process listens at its own address meanwhile, so that the others find it.

    Raises:
        UserError: a worker has not come in time, or the own port is taken.
    """
    missing = {name: address for name, address in cluster.addresses.items() if name != cluster.own}
    began, said = time.monotonic(), False
    with _listening(cluster):
        while True:
            reasons = {name: reason for name, address in missing.items() if (reason := silence(address))}
            missing = {name: cluster.addresses[name] for name in reasons}
            if not missing:
                return
            waited = time.monotonic() - began
            absent = ", ".join(f"{name} ({cluster.addresses[name]}: {reason})" for name, reason in reasons.items())
            if waited > seconds:
                raise UserError(
                    f"{cluster.source}: after {seconds:.0f} s this worker, {cluster.own}, has no answer of {absent}; start all "
                    f"workers, or wait longer with {PATIENCE}"
                )
            if waited > SECONDS_TO_WORDS and not said:
                said = True
                log.warning("%s is waiting for %s; it gives up after %.0f s (%s)", cluster.own, absent, seconds, PATIENCE)
            time.sleep(min(0.5, seconds / 10))


def _listening(cluster: Cluster) -> socket.socket:
    """A socket at the own port, for IPv4 and, where there is, IPv6. TensorFlow takes the port over when it is closed."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", cluster.port), family=family, backlog=128, dualstack_ipv6=both)
    except OSError as error:
        own = cluster.addresses[cluster.own]
        raise UserError(
            f"{cluster.source}: {cluster.own} ({own}): its port cannot be used ({error.strerror}); is another program there? "
            "Choose another port"
        ) from error


def silence(address: str) -> str:
    """Why there is no answer at an address; empty where there is one."""
    try:
        socket.create_connection(_split(address), timeout=1.0).close()
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error) or "no answer"
    return ""
