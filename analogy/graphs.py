"""Functions that TensorFlow traces into a graph.

Choices and loops of graphs are written as operations here (`tf.where`, `tf.cond`, `tf.while_loop`, `tf.map_fn`), so AutoGraph,
which rewrites Python's own, has nothing to do. Without it a first tracing takes about a quarter less time. A Python `if` or
`for` over a tensor is an error then.
"""

from __future__ import annotations

import functools

import tensorflow as tf

graph_function = functools.partial(tf.function, autograph=False)
as_written = tf.autograph.experimental.do_not_convert  # for functions that `tf.data` traces
