"""The table of all metrics. Commands, tables, plots and pages read each metric's label, digits, unit and meaning here.

A new metric is a line of `_TABLE`. A metric of predicted frames (kind "frames", "errors" or "regions") also needs a function of
the same name in `analogy.metrics.image`, `detail` or `regions`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Kind = Literal[
    "frames",  # of predicted frames; measured by default
    "errors",  # of predicted frames: squared and absolute errors; on request
    "regions",  # of predicted frames, at and around the body; measured where its joints are known
    "centres",  # of predicted frames with one object; measured where its true centre is known
    "changes",  # of predicted videos: how much successive frames differ; measured where a system asks for it
    "networks",  # of predicted frames, computed by a pretrained network; on request
    "sets",  # of all videos together; on request
    "poses",  # of predicted poses
    "joints",  # of joints estimated in a frame
    "keypoints",  # of keypoints that were found without labels, in a clip
    "actions",  # of recognised actions
    "people",  # what people said in a published study; not measured here
]
SELECTABLE_KINDS = ("frames", "errors", "networks", "sets")


@dataclass(frozen=True)
class Metric:
    """How a metric is named, printed and judged.

    name: its key in summary.json and for `--metrics`. label: its name for readers. digits: decimal places.
    better: the direction in which it improves. kind: what it measures. meaning: one line of explanation for pages.
    headline: whether it is a column in tables of many runs.
    """

    name: str
    label: str
    digits: int
    unit: str
    better: Better
    kind: Kind
    meaning: str = ""
    headline: bool = False

    @property
    def higher_is_better(self) -> bool | None:
        """None where neither direction is better."""
        return None if self.better == "neither" else self.better == "higher"

    @property
    def label_with_unit(self) -> str:
        """Such as "Joint error (%)"."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


_TABLE = (
    Metric("psnr", "PSNR", 2, "dB", "higher", "frames", "peak signal-to-noise ratio; higher is better", headline=True),
    Metric(
        "ssim", "SSIM", 4, "", "higher", "frames",
        "structural similarity, 11 x 11 Gaussian window; higher is better", headline=True,
    ),
    Metric(
        "sharpness_ratio", "Sharpness ratio", 3, "", "neither", "frames",
        "mean absolute Laplacian over the truth's: below 1 is blur, above is noise or invented detail",
    ),
    Metric(
        "gradient_energy_ratio", "Gradient energy ratio", 3, "", "neither", "frames",
        "mean squared difference of neighbouring pixels over the truth's: edges count more than in the sharpness ratio",
    ),
    Metric(
        "checkerboard_ratio", "Checkerboard ratio", 2, "", "neither", "frames",
        "share of the energy at and near period 2 over the truth's: far above 1 is a checkerboard, below is blur",
    ),
    Metric("mse", "MSE", 6, "", "lower", "errors", "mean squared error, values in 0..1", headline=True),
    Metric("mae", "MAE", 5, "", "lower", "errors", "mean absolute error, values in 0..1"),
    Metric("mse_sum", "MSE, summed", 2, "", "lower", "errors", "squared error summed over a frame, values in 0..1"),
    Metric("mae_sum", "MAE, summed", 2, "", "lower", "errors", "absolute error summed over a frame, values in 0..1"),
    Metric(
        "ghosting", "Ghosting", 1, "levels", "lower", "regions",
        "RMS error in grey levels where the body was in the reference frame and is no longer; lower is better",
    ),
    Metric(
        "pose_following", "Error at the pose", 1, "levels", "lower", "regions",
        "RMS error in grey levels where the body is in the true frame; lower is better",
    ),
    Metric(
        "background", "Error in the background", 1, "levels", "lower", "regions",
        "RMS error in grey levels where the body neither was nor is; lower is better",
    ),
    Metric(
        "centre_error", "Centre error", 2, "px", "lower", "centres",
        "distance of the predicted object's centre from the true one, in pixels of the frame; lower is better", headline=True,
    ),
    Metric(
        "collapse_index", "Collapse index", 3, "", "neither", "changes",
        "mean squared change between successive frames over the truth's: 0 repeats one picture, 1 changes as the truth does",
        headline=True,
    ),
    Metric(
        "moving_psnr", "PSNR where pixels move", 2, "dB", "higher", "changes",
        "PSNR of the pixels that changed by more than a tenth of the range since the true frame before; higher is better",
    ),
    Metric(
        "changed_psnr", "PSNR where the first frame changes", 2, "dB", "higher", "changes",
        "PSNR of the pixels in which the truth differs from the frame that is moved by more than a tenth of the range, 25 grey "
        "levels; higher is better",
    ),
    Metric(
        "pose_mse", "Pose error (MSE)", 5, "", "lower", "poses",
        "mean squared error of joint coordinates in units of the clip's box, joints ever hidden counting as 0", headline=True,
    ),
    Metric(
        "joint_error", "Joint error", 2, "%", "lower", "poses",
        "mean distance of a joint from its true place, in percent of the box's longer side; joints always visible",
    ),
    Metric(
        "pck_10", "PCK@0.1", 3, "", "higher", "poses",
        "share of joints within 0.1 of the longer side of the box that the protocol names; higher is better", headline=True,
    ),
    Metric(
        "pck_20", "PCK@0.2", 3, "", "higher", "joints",
        "share of joints within 0.2 of the box's longer side; higher is better",
    ),
    Metric(
        "pck_05", "PCK@0.05", 3, "", "higher", "poses",
        "share of joints within 0.05 of the box's longer side; higher is better",
    ),
    Metric(
        "keypoints_on_body", "Keypoints on the body", 3, "", "neither", "keypoints",
        "share of keypoints that lie on the body, as its joints outline it",
    ),
    Metric(
        "keypoint_jitter", "Keypoint jitter", 3, "%", "neither", "keypoints",
        "mean length of the second difference of a keypoint over time, in percent of the frame's side",
    ),
    Metric(
        "keypoint_error", "Keypoint error", 2, "%", "lower", "keypoints",
        "mean distance of a predicted keypoint from where a detector sees it in the true frame, in percent of the frame's side",
    ),
    Metric(
        "sample_spread", "Spread of samples", 2, "%", "neither", "keypoints",
        "mean distance of a sample's keypoints from the mean of all samples, in percent of the frame's side: 0 is one future",
    ),
    Metric(
        "accuracy", "Accuracy", 3, "", "higher", "actions",
        "share whose action is recognised; higher is better", headline=True,
    ),
    Metric("lpips", "LPIPS", 4, "", "lower", "networks", "LPIPS v0.1 with AlexNet; lower is better"),
    Metric(
        "feature_distance", "Feature distance", 4, "", "lower", "networks",
        "squared distance of unit-length features of the network that the protocol names; lower is better",
    ),
    Metric("fvd", "FVD", 1, "", "lower", "sets", "Frechet video distance, logits of I3D; lower is better"),
    Metric("user_rank", "Rank by users", 2, "", "lower", "people", "mean rank that people gave a method; 1 is the best"),
)  # fmt: skip


def _variant(metric: Metric, suffix: str, words: str) -> Metric:
    return replace(metric, name=metric.name + suffix, label=f"{metric.label}, {words}", meaning="", headline=False)


# The same metrics of only those windows that begin with their clip (_start0), and of the best of several samples (_best).
_VARIANTS = (
    *(_variant(metric, "_start0", "first windows") for metric in _TABLE if metric.kind == "poses"),
    *(
        _variant(metric, "_best", "best sample")
        for metric in _TABLE
        if metric.kind in ("frames", "errors", "regions", "centres", "changes", "networks", "keypoints")
        and metric.better != "neither"
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (*_TABLE, *_VARIANTS)}
# The columns of tables of many runs.
HEADLINES = tuple(metric.name for metric in _TABLE if metric.headline)


def names_of(*kinds: Kind) -> tuple[str, ...]:
    """The names of all metrics of these kinds, without their variants, in the table's order."""
    return tuple(metric.name for metric in _TABLE if metric.kind in kinds)


SELECTABLE = names_of(*SELECTABLE_KINDS)  # the metrics that `evaluate --metrics` accepts
USUAL = (*names_of("frames"), "mse")  # the metrics that it computes by default


def metric_of(name: str) -> Metric:
    """The metric of this name. A name that is not in the table gets a metric with default values.

    Example:
        >>> metric_of("psnr").label, metric_of("warp_error").label
        ('PSNR', 'warp error')
    """
    return METRICS.get(name) or Metric(name, name.replace("_", " "), 4, "", "neither", "frames")
