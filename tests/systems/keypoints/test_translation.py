"""What keypoints say of joints, what they do over time, and their pictures."""

from functools import partial
from types import SimpleNamespace

import numpy as np

from analogy.systems.keypoints.joints_from_keypoints import joint_regression
from analogy.systems.keypoints.pictures import with_keypoints
from analogy.systems.keypoints.predicted import keypoint_figures
from analogy.systems.keypoints.translation import TranslationSystem
from analogy.systems.keypoints.translation_study import FAR, Case, removed, study_translation

RNG = np.random.default_rng(0)


def test_the_regression_finds_a_linear_relation_and_the_mean_pose():
    rng = np.random.default_rng(0)
    keypoints, mixing = rng.uniform(-1, 1, (400, 3, 2)), rng.normal(size=(6, 26))
    joints = (keypoints.reshape(400, 6) @ mixing).reshape(400, 13, 2) + 30.0
    visible = np.ones((400, 13))
    visible[:200, 4] = 0
    joints[:200, 4] = 1e6  # where a joint is hidden, its place means nothing
    regression = joint_regression(keypoints, joints, visible)
    np.testing.assert_allclose(regression.predict(keypoints)[200:], joints[200:], atol=0.1)
    np.testing.assert_allclose(regression.mean[5], joints[:, 5].mean(0))
    np.testing.assert_allclose(regression.mean[4], joints[200:, 4].mean(0))


def test_keypoint_figures():
    keypoints = np.zeros((4, 2, 2))
    keypoints[:, 0, 0] = [-1, -0.5, 0.5, 0.5]  # second differences 0.5 and -1; the other one rests
    body = np.zeros((4, 3, 5), bool)
    body[:, 1, 2] = True  # where the other one is
    figures = keypoint_figures(keypoints, body)
    np.testing.assert_allclose(figures["keypoints_on_body"], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(figures["keypoint_jitter"], [12.5, 25.0, np.nan])


def test_dots_lie_on_their_pixels():
    frames = np.zeros((2, 40, 20, 1), np.uint8)
    picture = with_keypoints(frames, np.array([[[0.0, -1.0]], [[np.nan, 0.0]]]))
    assert picture.shape == (2, 320, 160, 3)
    rows, columns = np.nonzero(picture[0].max(-1))
    assert abs(columns.mean() - 79.5) < 1 and abs(rows.mean() - 3.5) < 2  # a pixel is 8 x 8 pixels of the picture
    assert not picture[1].any()  # of a place that is no number, nothing is drawn


def test_without_labels_no_training_frame_is_read_for_a_regression():
    dataset = SimpleNamespace(reader=SimpleNamespace(labelled=False))  # with nothing to load
    assert TranslationSystem._regression(None, dataset) is None


def test_keypoints_are_drawn_on_true_and_on_translated_frames():
    frames = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    translated = {"frame": 255 - frames[1:], "painted": frames[1:], "mask": np.full([2, 16, 16, 1], 0.5)}
    system = SimpleNamespace(
        image_size=(16, 16), detected=lambda frames: np.zeros([len(frames), 4, 2]), translated=lambda *given: translated,
        shown_parts=partial(TranslationSystem.shown_parts, None),
    )  # fmt: skip
    loaded = SimpleNamespace(
        frames=frames, joints=np.zeros([3, 13, 2]), visibility=np.zeros([3, 13]), crop=np.full([3, 2], 16.0)
    )
    clip = SimpleNamespace(id="a", action="wave", length=3)
    pictures = TranslationSystem._predicted(system, clip, loaded, None, True).extra_columns
    assert list(pictures) == ["keypoints", "painted", "mask", "keypoints, translated"]
    for title, under in (("keypoints", frames[1:]), ("keypoints, translated", 255 - frames[1:])):
        np.testing.assert_array_equal(pictures[title][:, :40, :40], with_keypoints(under, np.zeros([2, 0, 2]))[:, :40, :40])
    assert not TranslationSystem._predicted(system, clip, loaded, None, False).extra_columns
    measured = TranslationSystem._predicted(system, clip, loaded, None, False).measure({})
    assert measured["prediction"]["changed_psnr"].mean() < measured["copy_reference"]["changed_psnr"].mean() < 20


def test_to_remove_a_body_its_keypoints_leave_the_frame():
    frames, body = np.zeros((2, 9, 9, 3), np.uint8), np.zeros((2, 9, 9), bool)
    frames[1], body[0, 4, 4] = 255, True
    keypoints = np.array([[[0.0, 0.0], [1.0, 1.0]], [[0.5, 0.5], [1.0, 1.0]]], np.float32)
    case = removed(Case(frames, keypoints, body))
    np.testing.assert_array_equal(case.keypoints, [[[0, 0], [1, 1]], [[FAR, FAR], [1, 1]]])
    assert not case.frames.any()  # the reference is the target


def test_the_cases_are_the_largest_motion_the_most_uncovered_and_a_removed_body(monkeypatch):
    from analogy.systems.keypoints import translation_study

    still, far = np.zeros((2, 1, 2), np.float32), np.array([[[0.0, 0.0]], [[1.0, 0.0]]], np.float32)
    leaves, stays = np.zeros((2, 16, 16), bool), np.zeros((2, 16, 16), bool)
    leaves[0, 4:9, 4:9] = stays[:, 4:9, 4:9] = True
    shades = [np.full((2, 16, 16, 3), value, np.uint8) for value in (0, 100, 200)]
    cases = [Case(shades[0], still, stays), Case(shades[1], far, stays), Case(shades[2], still, leaves)]
    monkeypatch.setattr(translation_study, "_cases", lambda system, dataset, clip: cases)
    asked = []

    def translated(frame, keypoints, next_keypoints):
        asked.append(int(frame[0, 0, 0]))
        return {"frame": frame[None]}

    system = SimpleNamespace(
        selected_clips=lambda clips: clips, translated=translated, shown_parts=lambda answer: {}, image_size=(16, 16)
    )
    study = study_translation(system, SimpleNamespace(test=["a"]))
    assert asked == [100, 200, 200] and list(study.plots) == ["translation_cases"]
    picture = study.plots["translation_cases"]
    assert picture.dtype == np.uint8 and picture.shape[0] > 3 * 160 and picture.shape[1] > 5 * 160
    monkeypatch.setattr(translation_study, "_cases", lambda system, dataset, clip: [])
    assert study_translation(system, SimpleNamespace(test=["a"])).plots == {}
