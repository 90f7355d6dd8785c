"""Devices and the distribution strategy: one CPU or GPU, several GPUs, logical CPUs, or several workers."""

from __future__ import annotations

import logging
import math
import signal
import threading

import tensorflow as tf

from analogy.errors import UserError, first_line
from analogy.training.cluster import PATIENCE, Cluster, patience, wait_for_workers
from analogy.training.schedulers import find_cluster
from analogy.training.watch import watched

SECONDS_TO_CONNECT = 60  # at least, for workers that have all answered; it usually takes a few
log = logging.getLogger("analogy")


def make_strategy(devices: str, workers: str = "tf_config") -> tf.distribute.Strategy:
    """The strategy for "auto", "cpu", "cpu:N" (N logical devices), "gpu" or "gpu:N".

    Where there are several workers, it is a MultiWorkerMirroredStrategy, and this waits for all of them. Call this before
    TensorFlow has used a device.

    Args:
        workers: who says which workers there are, one of `schedulers.KINDS`.

    Raises:
        UserError: what is said of the workers is not valid, a worker does not come, or there are not enough GPUs.
    """
    if (cluster := find_cluster(workers)) is None:
        return local_strategy(devices)
    _choose_devices(devices)
    wait_for_workers(cluster, patience())
    return _strategy_of_workers(cluster, math.ceil(max(SECONDS_TO_CONNECT, patience())))


def _strategy_of_workers(cluster: Cluster, seconds: int) -> tf.distribute.Strategy:
    """A MultiWorkerMirroredStrategy of workers that have all answered.

    TensorFlow would wait an hour for a worker that has ended since. Meanwhile no Python runs, and SIGTERM does nothing. So a
    second process looks whether the others still answer; and the system ends this process after `seconds`, where it can.
    """
    alarmed = threading.current_thread() is threading.main_thread()  # in others Python sets no handlers
    if alarmed:
        log.warning("connecting the workers; SIGALRM ends this one where it takes %d s: set %s for more", seconds, PATIENCE)
        before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
    try:
        with watched(cluster):
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=_resolver(cluster))
    except (tf.errors.OpError, RuntimeError) as error:
        raise UserError(f"{cluster.source}: the workers cannot be connected ({first_line(error)}); start all again") from error
    finally:
        if alarmed:
            signal.alarm(0)
            if before is not None:  # None: set by other than Python, which cannot set it again
                signal.signal(signal.SIGALRM, before)


def _resolver(cluster: Cluster) -> tf.distribute.cluster_resolver.ClusterResolver:
    """The cluster as TensorFlow wants it. Of TF_CONFIG it says what TFConfigClusterResolver would."""
    roles: dict[str, list[str]] = {}
    for name, address in cluster.addresses.items():
        roles.setdefault(name.split()[0], []).append(address)
    role, index = cluster.own.split()
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(roles), task_type=role, task_id=int(index), rpc_layer="grpc"
    )


def local_strategy(devices: str) -> tf.distribute.Strategy:
    """`make_strategy` for this process alone, without other workers. Raises UserError if there are not enough GPUs."""
    gpus, count = _choose_devices(devices)
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(count or len(gpus) or 1)])


def _choose_devices(devices: str) -> tuple[list, int]:
    """Make the devices that are asked for visible to TensorFlow.

    Returns:
        The GPUs, and the number of devices; 0 where that is not said.
    """
    kind, _, count = devices.partition(":")
    gpus = tf.config.list_physical_devices("GPU")
    if kind == "cpu":
        tf.config.set_visible_devices([], "GPU")
        gpus = []
        _make_logical_cpus(int(count or 1))
    if kind == "gpu" and len(gpus) < int(count or 1):
        raise UserError(f"--devices {devices}: TensorFlow sees {len(gpus)} GPU(s) here; use --devices auto or cpu")
    return gpus, int(count or 0)


def _make_logical_cpus(count: int) -> None:
    if count == 1:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise


def place_of_worker(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """The number of this worker, and how many there are. Number 0 is the chief, who owns the run folder."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return 0, 1
    roles = resolver.cluster_spec().as_dict()
    workers = [(role, index) for role in sorted(roles) for index in range(len(roles[role]))]  # a chief, then the workers
    return (workers.index((resolver.task_type, resolver.task_id)), len(workers)) if workers else (0, 1)


def check_batch(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Raises UserError if the batch cannot be divided evenly among the replicas."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(
            f"training.batch_size is {batch_size}, which {replicas} replicas cannot share evenly: "
            f"choose a multiple of {replicas}, or other --devices"
        )
