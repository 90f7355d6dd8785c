"""Training batches of frame pairs, as a function of (seed, step), so that a resumed run gets the same batches."""

from __future__ import annotations

import tensorflow as tf

from analogy.data.batches import ReplicaContext, endless_batches, pick, step_uniform
from analogy.data.frames import FrameReader
from analogy.data.prepared import Clip
from analogy.random_streams import StepStream


def draw_pairs(seed: int, step, lengths, batch_size: int, min_frame_distance: int = 0):
    """Draw the frame pairs of a step.

    Clips are drawn uniformly with replacement. Both frames are drawn uniformly from the clip's n frames, under the condition
    |t1 - t2| >= d = min(min_frame_distance, n // 2). The second frame may lie before the first one.

    Args:
        seed: int. step: int64 scalar. lengths: [N], the number of frames of each clip.

    Returns:
        clip [B], first [B], second [B]: int32, the clip's number and the numbers of two of its frames.
        mirrored [B]: bool, true with probability 0.5.
    """
    uniform = step_uniform(seed, step, StepStream.EXAMPLES, [batch_size, 5], tf.float64)
    u_clip, u_1, u_2, u_direction, u_mirror = tf.unstack(uniform, axis=1)
    clip = pick(u_clip, tf.shape(lengths)[0])
    n = tf.gather(tf.cast(lengths, tf.int32), clip)  # [B]
    d = tf.minimum(min_frame_distance, n // 2)
    first, second = pick(u_1, n), pick(u_2, n)
    # With d > 0, the unordered pairs are numbered, those with the largest gap first. There are n - gap = r + 1 pairs with a
    # gap, and the first of them has the number r(r + 1) / 2. So a random number k gives r, and each allowed pair is equally
    # likely without rejection sampling.
    k = pick(u_1, (n - d) * (n - d + 1) // 2)
    r = tf.cast(tf.floor((tf.sqrt(8.0 * tf.cast(k, tf.float64) + 1.0) - 1.0) / 2.0), tf.int32)
    low = k - r * (r + 1) // 2
    high = low + n - 1 - r
    forward = u_direction < 0.5
    first = tf.where(d > 0, tf.where(forward, low, high), first)
    second = tf.where(d > 0, tf.where(forward, high, low), second)
    return clip, first, second, u_mirror < 0.5


def draw_distant_pairs(seed: int, step, lengths, batch_size: int, frame_distance: tuple[int, int]):
    """As `draw_pairs`, with the second frame a random number of frames after the first one. Behind its last frame a clip begins
    anew (Kim et al. 2019). frame_distance: the smallest and the largest of these numbers."""
    uniform = step_uniform(seed, step, StepStream.EXAMPLES, [batch_size, 4], tf.float64)
    u_clip, u_1, u_distance, u_mirror = tf.unstack(uniform, axis=1)
    clip = pick(u_clip, tf.shape(lengths)[0])
    n = tf.gather(tf.cast(lengths, tf.int32), clip)
    smallest, largest = frame_distance
    first = pick(u_1, n)
    second = (first + smallest + pick(u_distance, largest - smallest + 1)) % n
    return clip, first, second, u_mirror < 0.5


def shifted_squares(boxes, sizes, uniform):
    """Squares [B, 4], moved along the longer side of their frames: to the first place that fits at 0, to the last one at 1.

    sizes: [B, 2], (width, height) of the frames. uniform: [B] in 0..1.
    """
    side = boxes[:, 2:] - boxes[:, :2]
    low = pick(uniform[:, None], sizes - side + 1)
    return tf.concat([low, low + side], 1)


def pair_batches(
    reader: FrameReader,
    clips: list[Clip],
    context: ReplicaContext,
    *,
    seed: int,
    min_frame_distance: int = 0,
    flip: bool = True,
    flip_exchanges_joints: bool = True,
    frame_distance: tuple[int, int] | None = None,
) -> tf.data.Dataset:
    """Endless batches of frame pairs for this worker: see `analogy.data.batches.endless_batches`.

    Where the reader cuts out the central square, a square at a random place along the longer side is cut out instead, the same
    from both frames.

    Each batch: step int64; position int32 [b]; image and next_image uint8 [b, H, W, C]; joints and next_joints [b, 13, 2];
    visibility and next_visibility [b, 13]; crop and next_crop [b, 2]. For their units see `FrameReader.decode`.

    Args:
        min_frame_distance: see `draw_pairs`. frame_distance: see `draw_distant_pairs`, which then draws.
        flip: whether to mirror half of the pairs. flip_exchanges_joints: in mirroring, exchange left and right joints.
    """
    boxes = tf.constant(reader.clip_boxes(clips))
    first_record = tf.constant([clip.first_record for clip in clips], tf.int64)
    lengths = tf.constant([clip.length for clip in clips], tf.int32)
    sizes = tf.constant([(clip.width, clip.height) for clip in clips], tf.int32)

    def element(step, position):
        if frame_distance:
            draw = draw_distant_pairs(seed, step, lengths, context.batch_size, frame_distance)
        else:
            draw = draw_pairs(seed, step, lengths, context.batch_size, min_frame_distance)
        clip, first, second, mirrored = (tf.gather(x, position) for x in draw)
        box = tf.gather(boxes, clip)
        if reader.crop == "centre":
            places = step_uniform(seed, step, StepStream.CROP, [context.batch_size], tf.float64)
            box = shifted_squares(box, tf.gather(sizes, clip), tf.gather(places, position))
        start = tf.gather(first_record, clip)
        raw = reader.read(tf.concat([start + tf.cast(first, tf.int64), start + tf.cast(second, tf.int64)], 0))
        mirrored = tf.concat([mirrored, mirrored], 0) & flip
        frames = tf.map_fn(
            lambda x: reader.decode(x[0], x[1], x[2], flip_exchanges_joints),
            (raw, tf.concat([box, box], 0), mirrored),
            fn_output_signature=reader.signature,
        )
        size = position.shape[0]
        first_frames = {key: value[:size] for key, value in frames.items()}
        second_frames = {f"next_{key}": value[size:] for key, value in frames.items()}
        return {"step": step, "position": position, **first_frames, **second_frames}

    return endless_batches(element, context)
