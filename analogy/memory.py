"""How the process keeps the memory that TensorFlow frees between the operations of a step."""

from __future__ import annotations

import ctypes

# Options of mallopt(3) in glibc.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next step, rather than give it back to the system.

    A training step on a CPU frees and asks again for gigabytes of activations, and a page that the system hands out anew is
    first filled with zeros: a quarter to a half of a step's time. One heap for all threads holds the price in memory below
    a tenth of the peak. Call it before TensorFlow has run anything. Does nothing where the C library is not glibc.
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (other libraries have a mallopt with other options)
    except (AttributeError, OSError, TypeError):
        return
    for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
        library.mallopt(option, value)
