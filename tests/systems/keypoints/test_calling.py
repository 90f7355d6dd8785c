"""Endpoints that are called in parts: a picture moves as another video does, whatever the number of its frames."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from analogy.systems.keypoints.calling import detected_by, futures_by, moved_by


def stand_in():
    """A translator, never given more than 2 frames. Keypoints are a frame's first value; a translation adds what they moved."""

    def detect(frames):
        assert len(frames) <= 2
        return {"keypoints": tf.cast(frames[:, 0, 0, :1, None], tf.float32) * tf.ones([1, 1, 2])}

    def translate(frame, keypoints, next_keypoints):
        assert len(frame) == len(keypoints) == len(next_keypoints) <= 2
        return {"frame": frame + tf.cast(next_keypoints - keypoints, tf.uint8)[:, None, None, 0, :1]}

    return SimpleNamespace(detect=detect, translate=translate)


def test_a_picture_moves_as_a_driving_video_in_parts():
    translator, picture = stand_in(), np.full((8, 8, 1), 10, np.uint8)
    driving = np.uint8([3, 5, 4, 9, 7])[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    moved, points = moved_by(translator, picture, detected_by(translator.detect, driving, 2), 2)
    assert points.dtype == np.float32 and points[:, 0, 0].tolist() == [10, 12, 11, 16, 14]
    assert moved.shape == driving.shape and moved[:, 0, 0, 0].tolist() == [10, 12, 11, 16, 14]


def test_a_motion_alone_is_painted_by_its_translator_and_a_whole_one_by_itself():
    def sample(keypoints, action, seed, count):
        assert (action.numpy().tolist(), int(seed)) == ([3], 7)
        steps = tf.reshape(tf.range(3.0) + 1.0, [1, 1, 3, 1, 1]) * tf.reshape(
            tf.range(tf.cast(count, tf.float32)), [1, -1, 1, 1, 1]
        )
        return {"keypoints": keypoints[:, None, None] + steps}

    picture, asked = np.full((8, 8, 1), 10, np.uint8), {"action": 3, "seed": 7, "count": 2}
    frames, points = futures_by({"sample": sample}.get, stand_in(), picture, 2, **asked)
    assert frames.shape == (2, 3, 8, 8, 1) and points.shape == (2, 3, 1, 2)
    assert frames[:, :, 0, 0, 0].tolist() == points[:, :, 0, 0].tolist() == [[10, 10, 10], [11, 12, 13]]

    def generate(frame, **further):
        assert further.keys() == asked.keys()
        return {"frames": frame[:, None, None] * 2, "keypoints": tf.zeros([1, 1, 1, 1, 2])}

    frames, _ = futures_by({"generate": generate, "sample": sample}.get, None, picture, 2, **asked)  # it has its translator
    assert frames.shape == (1, 1, 8, 8, 1) and (frames == 20).all()
