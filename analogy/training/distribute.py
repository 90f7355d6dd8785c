"""Devices and the distribution strategy: one CPU or GPU, several GPUs, logical CPUs, or several workers by TF_CONFIG."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from analogy.errors import UserError


def make_strategy(devices: str) -> tf.distribute.Strategy:
    """The strategy for "auto", "cpu", "cpu:N" (N logical devices), "gpu" or "gpu:N".

    If TF_CONFIG names several workers, it is a MultiWorkerMirroredStrategy. Call this before TensorFlow has used a device.

    Raises:
        UserError: TF_CONFIG is not valid, or there are not enough GPUs.
    """
    kind, _, count = devices.partition(":")
    gpus = tf.config.list_physical_devices("GPU")
    if kind == "cpu":
        tf.config.set_visible_devices([], "GPU")
        gpus = []
        _make_logical_cpus(int(count or 1))
    if kind == "gpu" and len(gpus) < int(count or 1):
        raise UserError(f"--devices {devices}: TensorFlow sees {len(gpus)} GPU(s) here; use --devices auto or cpu")
    if _workers() > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{index}" for index in range(int(count or len(gpus)))])
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(int(count or 1))])


def _make_logical_cpus(count: int) -> None:
    if count == 1:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise


def _workers() -> int:
    """The number of workers in TF_CONFIG; 1 without it. Raises UserError."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 1
    try:
        cluster = json.loads(text)["cluster"]
        return sum(len(cluster.get(role, [])) for role in ("chief", "worker"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"TF_CONFIG is not valid: {error}; unset it, or give it cluster and task") from error


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the chief worker, the one that writes the run folder."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return True
    chiefs = resolver.cluster_spec().as_dict().get("chief")
    return resolver.task_type == "chief" or (not chiefs and resolver.task_type == "worker" and resolver.task_id == 0)


def check_batch(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Raises UserError if the batch cannot be divided evenly among the replicas."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise UserError(
            f"training.batch_size is {batch_size}, which {replicas} replicas cannot share evenly: "
            f"choose a multiple of {replicas}, or other --devices"
        )
