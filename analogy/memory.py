"""The machine: its processors and its memory; settings of the C library (glibc) that make training on a CPU faster; long arrays
in parts."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

# Numbers of the options of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for later allocations, instead of returning it to the operating system.

    Each training step on a CPU frees and allocates gigabytes of activations. The operating system fills every new page with
    zeros, which takes a quarter to a half of a step's time. All threads share one heap, which limits the extra memory to less
    than a tenth of the peak. Call this before TensorFlow runs anything. It does nothing with another C library than glibc.
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (other libraries have a mallopt with other options)
    except (AttributeError, OSError, TypeError):
        return
    for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
        library.mallopt(option, value)


def count_processors() -> int:
    """Number of processors that this process may use; in a container this can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine_memory() -> int:
    """Bytes of memory that this machine, or the container in which the process runs, has; 0 where that cannot be known."""
    with suppress(OSError, ValueError):
        most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # no container, or "max"
                most = min(most, int(Path(file).read_text()))
        return most
    return 0


def gpu_memory() -> int:
    """Bytes of memory of the smallest GPU, as NVIDIA's own program says; 0 where that cannot be known."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
        return min(int(line) for line in said.split()) << 20
    return 0


def in_parts(function: Callable, *arrays: np.ndarray, most: int) -> np.ndarray:
    """What a function makes of arrays [N, ...], row by row: it is given at most `most` rows of each at once, so that the memory
    which it takes does not grow with N."""
    parts = [slice(first, first + most) for first in range(0, len(arrays[0]), most)]
    return np.concatenate([function(*(array[part] for array in arrays)) for part in parts])
