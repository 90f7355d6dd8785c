"""The endpoints of translators and of motion generators, called: by these systems, and by `analogy predict PICTURE`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from analogy.memory import in_parts


def detected_by(detect: Callable, frames: np.ndarray, frames_per_call: int) -> np.ndarray:
    """The keypoints of frames uint8 [T, H, W, C] by an endpoint `detect`: float32 [T, K, 2] in -1..1."""
    return in_parts(lambda part: detect(frames=tf.constant(part))["keypoints"].numpy(), frames, most=frames_per_call)


def translated_by(
    translate: Callable, frame: np.ndarray, keypoints: np.ndarray, next_keypoints: np.ndarray, frames_per_call: int
) -> dict[str, np.ndarray]:
    """A frame uint8 [H, W, C] with its keypoints [K, 2], moved to each of next_keypoints [T, K, 2] by an endpoint `translate`.

    Returns:
        output of the endpoint -> [T, ...].
    """
    answers = []
    for first in range(0, len(next_keypoints), frames_per_call):
        part = next_keypoints[first : first + frames_per_call]
        inputs = {"frame": np.repeat(frame[None], len(part), 0), "keypoints": np.repeat(keypoints[None], len(part), 0)}
        answers.append(translate(**{name: tf.constant(value) for name, value in {**inputs, "next_keypoints": part}.items()}))
    return {name: np.concatenate([answer[name].numpy() for answer in answers]) for name in answers[0]}


def moved_by(translator, frame: np.ndarray, keypoints: np.ndarray, frames_per_call: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame uint8 [H, W, C] whose keypoints move as others [T, K, 2] move from their first step on.

    translator: a loaded SavedModel. Returns frames uint8 [T, H, W, C] and their keypoints [T, K, 2].
    """
    own = detected_by(translator.detect, frame[None], 1)
    points = np.float32(own + keypoints - keypoints[:1])
    return translated_by(translator.translate, frame, own[0], points, frames_per_call)["frame"], points


def futures_by(
    endpoint: Callable[[str], Callable], translator, frame: np.ndarray, frames_per_call: int, **asked: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sampled futures of a frame uint8 [H, W, C]: frames uint8 [N, T, H, W, C], and their keypoints [N, T, K, 2].

    Args:
        endpoint: the name of an endpoint of a motion generator -> that endpoint.
        translator: None for a generator that contains its translator, whose endpoint is `generate`; else the loaded SavedModel
            of the translator that moves the keypoints of its endpoint `sample`.
        asked: the other inputs of these endpoints: action, seed and count.
    """
    asked = {**asked, "action": [asked["action"]]}
    asked = {name: tf.constant(value, tf.int32) for name, value in asked.items()}
    if translator is None:
        answer = endpoint("generate")(frame=tf.constant(frame[None]), **asked)
        return answer["frames"].numpy()[0], answer["keypoints"].numpy()[0]
    own = detected_by(translator.detect, frame[None], 1)
    futures = endpoint("sample")(keypoints=tf.constant(own), **asked)["keypoints"].numpy()[0]
    steps = futures.reshape(-1, *own.shape[1:])
    moved = translated_by(translator.translate, frame, own[0], steps, frames_per_call)["frame"]
    return moved.reshape(*futures.shape[:2], *frame.shape), futures
