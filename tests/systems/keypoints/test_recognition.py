"""Recognised actions with known answers: a read-out of made-up features, and runs that obey, ignore or know no actions."""

from types import SimpleNamespace

import numpy as np
import pytest

from analogy.systems.keypoints.recognition import Recognition, driving_clip, fit_read_out, recognise_futures
from analogy.systems.keypoints.sequences import shuffled

ACTIONS = ["grow", "shrink"]


def test_the_read_out_finds_what_differs():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    features = rng.normal(size=(60, 200))
    features[np.arange(60), labels] += 8.0
    read_out = fit_read_out(features, labels, 3)
    others = rng.normal(size=(30, 200))
    others[np.arange(30), np.arange(30) % 3] += 8.0
    np.testing.assert_array_equal(read_out.recognise(others), np.arange(30) % 3)


def test_shuffled_has_the_same_frames_and_leaves_none_beside_its_neighbour():
    order = shuffled(np.arange(32))
    assert sorted(order) == list(range(32)) and np.abs(np.diff(order)).min() > 1


class Future:
    """A motion generator whose pictures become brighter (grow) or darker (shrink) by 2 a step; `obeys` says which."""

    settings = SimpleNamespace(data=SimpleNamespace(flip=True))

    def __init__(self, obeys, actions=ACTIONS):
        self.obeys, self.actions, self.detected = obeys, actions, []

    def true_frames(self, dataset, clip):
        slope = 2 if clip.action == "grow" else -2
        return (clip.level + slope * np.arange(9)[:, None, None, None] + np.zeros((1, 4, 4, 1))).astype(np.uint8)

    def true_keypoints(self, dataset, clips):
        self.detected += [clip.id for clip in clips]
        return [self.true_frames(dataset, clip) for clip in clips]

    def transferred(self, frame, keypoints):
        return (frame + keypoints[1:].astype(int) - keypoints[:1]).astype(np.uint8)

    def predict(self, frame, action, count):
        slope = 2 if self.obeys(action) == "grow" else -2
        steps = np.arange(1, 9)[:, None, None, None]
        return {"frames": np.repeat((frame + slope * steps).astype(np.uint8)[None], count, 0)}


def slopes(videos):
    """Features: by how much the first half is darker than the second one, and how much neighbours differ."""
    means = videos.astype(float).mean((2, 3, 4))
    return np.stack([means[:, 4:].mean(1) - means[:, :4].mean(1), np.abs(np.diff(means, axis=1)).mean(1)], 1)


@pytest.fixture
def dataset():
    clips = [
        SimpleNamespace(id=f"{action} {level}", action=action, level=level) for action in ACTIONS for level in (60, 90, 120)
    ]
    return SimpleNamespace(train=clips, test=clips[1:5])


@pytest.mark.parametrize(
    ("obeys", "generated", "asked_for"),
    [
        (lambda action: action, 1.0, 1.0),
        (lambda action: "grow", 0.5, 0.5),
        (lambda action: ACTIONS[action == "grow"], 0, 0),
    ],
)
def test_a_generator_is_recognised_as_it_obeys(dataset, obeys, generated, asked_for):
    system = Future(obeys)
    outcome = recognise_futures(system, dataset, slopes)
    shares = outcome.accuracies()
    assert system.detected == [clip.id for clip in dataset.test]  # once, though they drive several pictures
    assert shares["truth"] == 1.0 and shares["generated"] == generated and shares["asked_for"] == asked_for
    assert shares["still"] == 0.5 and len(outcome.right["still"]) == 4  # a picture that rests says nothing
    assert shares["true_keypoints"] == shares["transferred"] == 1.0  # whatever the generator does
    assert outcome.counts["asked_for"].sum() == outcome.counts["transferred"].sum() == 4 * 2
    thrice = recognise_futures(system, dataset, slopes, samples=3)
    assert thrice.counts["asked_for"].sum() == 24 and len(thrice.right["generated"]) == 12
    both = outcome + outcome
    assert both.counts["asked_for"].sum() == 16 and len(both.right["truth"]) == 8 and both.accuracies() == shares


def test_a_picture_moves_as_the_next_clip_of_the_action(dataset):
    clips = dataset.test  # grow, grow, shrink, shrink
    assert driving_clip(clips, clips[0], "grow") is clips[1] and driving_clip(clips, clips[1], "grow") is clips[0]
    assert driving_clip(clips, clips[3], "shrink") is clips[2] and driving_clip(clips[:3], clips[2], "shrink") is clips[2]
    assert driving_clip(clips[:2], clips[0], "shrink") is None


def test_without_actions_there_is_nothing_to_ask_for(dataset):
    outcome = recognise_futures(Future(lambda action: "shrink", actions=[]), dataset, slopes)
    assert outcome.actions == ACTIONS and outcome.accuracies()["generated"] == 0.5
    assert "asked_for" not in outcome.accuracies() and isinstance(outcome, Recognition)
