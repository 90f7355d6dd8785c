"""The register of random numbers: every stream that is drawn, and what it is for.

All randomness is a function of the experiment's seed and of its purpose: a run that is resumed, or spread over more devices,
draws the same numbers. There are two kinds of streams:

- `StepStream`: of a training step, drawn on the device by `analogy.data.batches` from the seed, the step and the stream;
- `DatasetStream`: of a dataset, drawn on the host by `generator` from the seed and the stream.

A new stream is a new line here, with a number from 100 on that its kind does not have yet. Numbers are never changed: what was
run with them could not be repeated.
"""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np


@unique
class StepStream(IntEnum):
    """Streams of a training step."""

    # The seed and the step alone: which clips, windows or digits make the batch. The discriminators of analogy_gan take their
    # dropout masks from it too: bits that have chosen the clips are used again, as another type.
    EXAMPLES = 0
    AUGMENTATION = 1  # how the examples are changed: mirrored, stretched, joints hidden; in pose_actions the dropout too
    TOLD_ACTION = 2  # pose_residual: which examples are told their action
    MEMBERS = 3  # pose_residual: noise and dropout of its first member; the others have 4, 5, ...
    SCHEDULED_SAMPLING = 5  # seq2seq and convlstm, which have no members: which true frames the decoder sees
    DROPOUT = 100  # lvln_classifier: which units of its hidden layer are left out
    CROP = 120  # pairs of frames: where the square is cut out along the longer side
    EQUIVARIANCE = 121  # keypoints_plus: how frames are warped, whose keypoints are to move along
    OTHER_START = 122  # keypoints_motion, keypoints_flow: which sequences start from another frame of the same person
    LATENT = 101  # vgg_lstm_vae, _vae_plus, keypoints_motion: noise of latents; of samples, the caller's seed, the step 0


# Drawn movies that are made once, not for a training step, take a step below zero of StepStream.EXAMPLES.
MOVIES_TO_LOOK_AT = -1  # a few training movies, for the pictures
TEST_MOVIES = -2  # the test movies


@unique
class DatasetStream(IntEnum):
    """Streams of a dataset."""

    SINES = 1  # the sine sequences
    NOISE = 2  # the noise sequences
    KTH_TEST_WINDOWS = 3  # which windows of KTH's test clips are predicted
    SEQUENCE_ORDER = 4  # the order of the sequences in training, with the number of the epoch
    TEST_WINDOWS = 100  # which windows of a test movie are predicted
    SHARE_OF_CLIPS = 101  # which training clips are used where `data.share` is below 1
    TEST_FILES = 102  # which files of a folder of videos test
    UNSEEN_BALLS = 110  # where the unseen balls of moving_ball start, and where they move to


def generator(seed: int, *stream: int) -> np.random.Generator:
    """The numbers of a stream of a dataset.

    Args:
        seed: the experiment's, 0 or more. stream: a DatasetStream, then what else the numbers depend on, such as the epoch.
            Four uses have no DatasetStream: a synthetic actor (the dataset's seed, the number of the clip), the two frames
            in a clip's picture (0, the clip's first record), layers whose published weights are left out (0), and the inputs
            by which a converted file is compared with its SavedModel (0).
    """
    return np.random.default_rng([seed, *stream])
