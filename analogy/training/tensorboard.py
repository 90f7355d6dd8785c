"""Scalars and pictures for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from analogy.errors import UserError, first_line


class TensorBoard:
    """Writes event files into `folder`. The first file is made with the first event."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer = None

    def _open(self):
        self._writer = self._writer or tf.summary.create_file_writer(str(self._folder))
        return self._writer.as_default()

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Write name -> value. Raises UserError if the file cannot be written."""
        try:
            with self._open():
                for name, value in values.items():
                    tf.summary.scalar(name, value, step)
            self._writer.flush()
        except tf.errors.OpError as error:
            why = first_line(error)
            raise UserError(f"{self._folder}: cannot be written ({why}); make room there, then go on with --resume") from error

    def image(self, name: str, image: np.ndarray, step: int) -> None:
        """Write a picture. image: uint8 [H, W, 1 or 3]."""
        with self._open():
            tf.summary.image(name, image[None], step)
