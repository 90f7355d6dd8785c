"""Both stages of Kim et al. with one command."""

import json

import pytest

from tests.run_folders import at_demo_scale


@pytest.mark.slow
def test_the_missing_stage_is_trained_first_and_both_runs_are_there(run_here, actors, tmp_path, caplog):
    caplog.set_level("INFO", "analogy")
    sizes = (
        "data.actions=[baseball_pitch, bowl]", "data.image_size=32", "data.horizon=3", "network.units=4",
        "network.latent_size=2", "evaluation.samples=2",
    )  # fmt: skip
    options = (*at_demo_scale(tmp_path, *sizes), "--steps", 2, "--data-dir", actors)
    done = run_here(*options, exp="keypoints_penn_full", tiny=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = f"keypoints_penn_full: no run of keypoints_penn_translator in {tmp_path}, so it is trained first"
    assert said in done.stdout + done.stderr + caplog.text
    first, second = (
        json.loads((next((tmp_path / name).iterdir()) / "summary.json").read_text())
        for name in ("keypoints_penn_translator", "keypoints_penn_full")
    )
    assert (first["status"], first["steps"], second["status"], second["steps"]) == ("finished", 2, "finished", 2)
    (used,) = second["uses"]["translator"]
    assert used["run"].startswith(str(tmp_path / "keypoints_penn_translator")) and "doubts" in second
    assert second["test"]["clips"] == first["test"]["clips"] == 2
    for name in ("changed_psnr", "keypoint_jitter"):
        assert name in first["test"] and name in second["test"]
    assert "changed_psnr" in first["baseline"]["copy_reference"] and "changed_psnr" in second["baseline"]["copy_first_frame"]
    assert "keypoint_jitter" in second["baseline"]["truth"]
