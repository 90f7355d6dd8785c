"""The workers of one training as a cluster's own scheduler has started them, read by TensorFlow's cluster resolvers.

Slurm says in the environment of each step which nodes and tasks it has. Kubernetes is asked for the pods of the job. TF_CONFIG,
which Kubeflow's TFJob writes, is read in `analogy.training.cluster`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import time
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

from analogy.errors import UserError, first_line
from analogy.training.cluster import PATIENCE, SECONDS_TO_WORDS, Cluster, patience, read_cluster

KINDS = ("tf_config", "slurm", "kubernetes")
PORT = "ANALOGY_WORKERS_PORT"  # environment variable: the first port of a node's workers
# Two jobs on one node must not meet: each has 16 ports of its own, below those that Linux gives away by itself (from 32768).
FIRST_PORT, JOBS, PORTS_PER_JOB = 20_000, 750, 16
POD_PORT = 8470  # each pod has an address of its own
# What each kind reads of the environment: name -> what it is.
NEEDED = {
    "tf_config": {},
    "slurm": {
        "SLURM_PROCID": "the number of this task",
        "SLURM_LOCALID": "its number on this node",
        "SLURMD_NODENAME": "the name of this node",
        "SLURM_STEP_NUM_TASKS": "the number of tasks",
        "SLURM_STEP_NODELIST": "their nodes",
        "SLURM_STEP_TASKS_PER_NODE": "how many each node has",
    },
    "kubernetes": {
        "ANALOGY_PODS": "the label of the job's pods, such as job-name=kth",
        "ANALOGY_WORKERS": "their number",
        "ANALOGY_NAMESPACE": "their namespace",
        "ANALOGY_POD_IP": "the address of this pod",
    },
}
MENDS = {
    "slurm": "start the command with srun, which starts each task",
    "kubernetes": "set it in the job's file, as docs/scale.md shows",
}
SECONDS_BETWEEN = 2.0  # two questions to Kubernetes
log = logging.getLogger("analogy")


def check_kind(kind: str) -> None:
    """Raise a UserError for what is none of KINDS."""
    if kind not in KINDS:
        asked = f"--cluster {kind}" + " ($ANALOGY_CLUSTER)" * (os.environ.get("ANALOGY_CLUSTER") == kind)
        raise UserError(f"{asked}: choose {', '.join(KINDS[:-1])} or {KINDS[-1]}")


def check_cluster(kind: str) -> None:
    """Check what can be known of the workers at once, without TensorFlow. Raises UserError, one line a mistake."""
    check_kind(kind)
    patience()
    _port(FIRST_PORT)
    if kind == "tf_config":
        read_cluster()
        return
    if os.environ.get("TF_CONFIG"):
        raise UserError(f"--cluster {kind}: TF_CONFIG is set too, and names workers itself: unset it, or leave --cluster out")
    for name, what in NEEDED[kind].items():
        if not os.environ.get(name, "").strip():
            raise UserError(f"--cluster {kind}: the environment has no {name} ({what}); {MENDS[kind]}")
    if kind == "kubernetes":
        _number_of_pods()
        if importlib.util.find_spec("kubernetes") is None:
            raise UserError("--cluster kubernetes needs the package kubernetes: pip install 'analogy-video[kubernetes]'")


def find_cluster(kind: str) -> Cluster | None:
    """All workers, and which of them this process is; None where it is the only one. Raises UserError."""
    check_cluster(kind)
    cluster = {"tf_config": read_cluster, "slurm": _slurm_cluster, "kubernetes": _kubernetes_cluster}[kind]()
    return cluster if cluster and len(cluster.addresses) > 1 else None


def _port(usual: int) -> int:
    """The port in the environment, or else the usual one. Raises UserError."""
    text = os.environ.get(PORT) or str(usual)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 65_536):
        raise UserError(f"{PORT} is {text}: give the number of a port, such as {FIRST_PORT}")
    return int(text)


def _cluster(addresses: list[str], own: str, kind: str, mend: str) -> Cluster:
    """The cluster of these addresses. own: that of this process. Raises UserError where it is not among them."""
    if own not in addresses:
        raise UserError(f"--cluster {kind}: this process is {own}, which is none of {', '.join(addresses[:8])}; {mend}")
    names = {f"worker {index}": address for index, address in enumerate(addresses)}
    return Cluster(names, f"worker {addresses.index(own)}", f"--cluster {kind}")


# ---------------------------------------------------------------- Slurm


def _slurm_cluster() -> Cluster:
    """What the environment of a Slurm step says. Raises UserError."""
    from tensorflow import distribute

    class _WithAllNames(distribute.cluster_resolver.SlurmClusterResolver):
        def _resolve_hostlist(self) -> list[str]:  # the resolver's own reads no name with something behind its numbers
            return _nodes(os.environ["SLURM_STEP_NODELIST"])

    job = os.environ.get("SLURM_JOB_ID", "0")
    first = _port(FIRST_PORT + int(job if job.isdecimal() else 0) % JOBS * PORTS_PER_JOB)
    try:
        # Slurm itself gives each task its GPUs (--gpus-per-task), so that the resolver need not count them; it would fail on
        # nodes without. Any number of tasks on a node is allowed.
        resolver = _WithAllNames(port_base=first, gpus_per_node=2**16, gpus_per_task=1, auto_set_gpu=False)
        addresses = resolver.cluster_spec().as_dict()["worker"]
        place = int(os.environ["SLURM_LOCALID"])
    except (RuntimeError, ValueError) as error:
        raise UserError(f"--cluster slurm: {first_line(error)}; {MENDS['slurm']}") from error
    if (last := max(int(address.rpartition(":")[2]) for address in addresses)) > 65_535:
        raise UserError(f"{PORT} is {first}, and a node has workers up to port {last}, beyond 65535; choose a smaller one")
    # The resolver takes the nodes in the order of their letters (node10 before node2), which is not that of Slurm's numbers.
    # So the node and the place on it say which worker this is, not the number of the task.
    own = f"{os.environ['SLURMD_NODENAME']}:{first + place}"
    return _cluster(addresses, own, "slurm", "are SLURMD_NODENAME and SLURM_STEP_NODELIST of one step?")


def _nodes(text: str) -> list[str]:
    """Slurm's list of nodes, one by one and in its order: "n[08-10],rack[0-1]node[1,3]-ib". Raises ValueError."""
    number = r"\d+(?:-\d+)?"
    numbers = rf"\[({number}(?:,{number})*)\]"
    name = rf"(?:[^][,\s]|{numbers})+"
    if not re.fullmatch(rf"{name}(?:,{name})*", text.strip()):
        raise ValueError(f"SLURM_STEP_NODELIST is {text}, which is no list of nodes such as node[01-03,7]")
    names = [found[0] for found in re.finditer(name, text)]
    # Every second part of a name is the numbers of a bracket.
    parts = [[_numbers(part) if place % 2 else [part] for place, part in enumerate(re.split(numbers, name))] for name in names]
    return ["".join(chosen) for part in parts for chosen in product(*part)]


def _numbers(text: str) -> list[str]:
    """The numbers of a bracket, with their zeros in front: "08-10,3" -> 08, 09, 10, 3."""
    ends = [(part.partition("-")[0], part.rpartition("-")[2]) for part in text.split(",")]
    return [str(number).zfill(len(first)) for first, last in ends for number in range(int(first), int(last) + 1)]


# ---------------------------------------------------------------- Kubernetes


def _kubernetes_cluster() -> Cluster:
    """The pods of a job, as soon as all of them run. Raises UserError where they do not in time."""
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError  # such as of a server that does not answer

    try:
        config.load_incluster_config()
    except config.ConfigException as error:
        raise UserError(f"--cluster kubernetes: this is no pod of a cluster ({first_line(error)})") from error
    addresses = _pods_running(_PodsOfNamespace(client.CoreV1Api()), (client.ApiException, HTTPError, OSError))
    own = f"{os.environ['ANALOGY_POD_IP']}:{_port(POD_PORT)}"
    return _cluster(addresses, own, "kubernetes", "has this pod the label of ANALOGY_PODS?")


def _pods_running(pods: _PodsOfNamespace, faults: tuple[type[Exception], ...], sleep: Callable = time.sleep) -> list[str]:
    """The address of each pod, when all of them run. faults: exceptions of a question to Kubernetes."""
    from tensorflow import distribute

    selector, count, seconds = os.environ["ANALOGY_PODS"], _number_of_pods(), patience()
    resolver = distribute.cluster_resolver.KubernetesClusterResolver(
        {"worker": [selector]}, _port(POD_PORT), override_client=pods
    )
    began, said = time.monotonic(), False
    while True:
        try:
            addresses = resolver.cluster_spec().as_dict().get("worker", [])
            state = f"{len(addresses)} of {count} pods {selector} run"
        except RuntimeError as error:  # a pod does not run yet
            addresses, state = [], first_line(error)
        except faults as error:
            raise UserError(
                f"--cluster kubernetes: the pods {selector} cannot be listed ({first_line(error)}); may the job's service "
                "account list pods? docs/scale.md shows the role"
            ) from error
        if len(addresses) == count:
            return addresses
        waited = time.monotonic() - began
        if len(addresses) > count:
            raise UserError(f"--cluster kubernetes: {state}: mend ANALOGY_WORKERS, their number, or their label, ANALOGY_PODS")
        if waited > seconds:
            raise UserError(f"--cluster kubernetes: after {waited:.0f} s {state}; {PATIENCE} lets it wait longer")
        if waited > SECONDS_TO_WORDS and not said:
            said = True
            log.warning("waiting for the pods: %s; it gives up after %.0f s (%s)", state, seconds, PATIENCE)
        sleep(SECONDS_BETWEEN)


def _number_of_pods() -> int:
    text = os.environ["ANALOGY_WORKERS"]
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 10_000):
        raise UserError(f"ANALOGY_WORKERS is {text}: give the number of the job's pods")
    return int(text)


class _PodsOfNamespace:
    """The part of Kubernetes' client that TensorFlow's resolver calls, with three differences: it asks for the own namespace
    alone, which needs fewer rights; pods that have ended, whose successors have the same label, are left out; and a pod's own
    address stands where the resolver looks for its node's."""

    def __init__(self, api):
        self._api = api

    def list_pod_for_all_namespaces(self, label_selector: str):
        found = self._api.list_namespaced_pod(os.environ["ANALOGY_NAMESPACE"], label_selector=label_selector)
        pods = [pod for pod in found.items if pod.status.phase not in ("Succeeded", "Failed")]
        return SimpleNamespace(items=[_with_own_address(pod) for pod in pods])


def _with_own_address(pod) -> SimpleNamespace:
    status = SimpleNamespace(phase=pod.status.phase, host_ip=pod.status.pod_ip)
    return SimpleNamespace(metadata=pod.metadata, status=status)
