"""The person's outline in a frame, with clothes, hair, shoes and what is held; limbs of fixed widths are a guess of it."""

from __future__ import annotations

import cv2
import numpy as np

from analogy.metrics.regions import pose_region

LIMB = 0.05  # half the thickness of a limb, as a share of the person's height
# Thickness in limbs: surely the person; the person until colours say otherwise; beyond this, surely not the person. Chosen,
# like the other numbers, while looking at the eight clips of docs/masked.md.
SURE, LIKELY, FARTHEST = 0.4, 1.0, 2.4
ROUNDS = 5  # of fitting colours to the two areas, and areas to the colours
SURROUNDINGS = 0.3  # how far around the person the background's colours are learned, as a share of the person's longer side
LARGEST = 480  # pixels; longer sides are reduced, because the time grows with the area
THINNEST = 0.01  # as a share of the person's height: what is thinner, such as a bar behind the person, is left out


def silhouette(
    frame: np.ndarray,
    joints: np.ndarray,
    visibility: np.ndarray,
    moving: np.ndarray | None = None,
    still: np.ndarray | None = None,
) -> np.ndarray:
    """The pixels of a frame that show the person, by GrabCut (Rother et al. 2004, as in OpenCV): bool [H, W].

    It fits mixtures of colours to the person and to the background, and cuts where neighbouring pixels differ.

    Args:
        frame: uint8 RGB [H, W, 3]. joints: [13, 2] in its pixels. visibility: [13].
        moving, still: bool [H, W], pixels that are known to belong to the person and to the background; None for none. What is
            said of pixels near the joints' limbs, or far from them, is not used.
    """
    size = frame.shape[:2]
    sure, likely, near = (
        pose_region(joints[None], visibility[None], size, radius=thickness * LIMB)[0] for thickness in (SURE, LIKELY, FARTHEST)
    )
    labels = np.full(size, cv2.GC_BGD, np.uint8)
    if not sure.any():
        return np.zeros(size, bool)
    labels[near] = cv2.GC_PR_BGD
    if moving is not None:
        labels[near & moving] = cv2.GC_FGD
    if still is not None:
        labels[near & still] = cv2.GC_BGD
    labels[likely] = cv2.GC_PR_FGD
    labels[sure] = cv2.GC_FGD
    rows, columns = _surroundings(near)
    found = np.zeros(size, np.uint8)
    found[rows, columns] = _cut(frame[rows, columns], labels[rows, columns])
    side = 2 * max(1, round(THINNEST * np.ptp(np.nonzero(near)[0]))) + 1
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    pieces = cv2.connectedComponents(found | sure)[1]
    return np.isin(pieces, np.unique(pieces[sure]))


def _surroundings(area: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of an area bool [H, W] and of its surroundings."""
    places = [np.flatnonzero(area.any(axis)) for axis in (1, 0)]
    margin = round(SURROUNDINGS * max(place[-1] - place[0] for place in places))
    return tuple(slice(max(0, place[0] - margin), place[-1] + margin + 1) for place in places)


def _cut(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """GrabCut of uint8 [h, w, 3] with OpenCV's labels uint8 [h, w]: 1 where it finds the person, else 0; uint8 [h, w]."""
    height, width = labels.shape
    factor = min(1.0, LARGEST / max(height, width))
    small = (max(1, round(factor * width)), max(1, round(factor * height)))
    labels = cv2.resize(labels, small, interpolation=cv2.INTER_NEAREST)
    if not (np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).any() and np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).any()):
        return np.zeros([height, width], np.uint8)  # GrabCut needs colours of both
    cv2.setRNGSeed(0)  # the first colours are drawn at random
    picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    cv2.grabCut(picture, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return cv2.resize(person, (width, height), interpolation=cv2.INTER_NEAREST)
