"""Folds over a folder of videos: which video tests where, and the table of their figures."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from analogy.cli.continuing import persons_of_folds
from analogy.errors import UserError
from analogy.files.marks import RUN, mark_folder
from analogy.settings import find_experiment
from analogy.settings.loading import parse_override
from experiments import folds
from experiments.folds import fold_folders, link_fold, table, videos_below


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_video_tests_once_and_its_class_never_trains_beside_it(tmp_path):
    touch(tmp_path / "videos", "A/a.avi", "B/b.avi", "C/c1.avi", "C/c2.avi", "A/notes.txt")
    touch(tmp_path / "more", "x.mp4")
    videos, more = videos_below(tmp_path / "videos"), videos_below(tmp_path / "more")
    tested = []
    for fold in range(2):
        folder = tmp_path / f"fold_{fold}"
        link_fold(folder, videos, more, fold, 2)
        link_fold(folder, videos, more, fold, 2)  # again, as after a run that was stopped
        train, test = (
            {str(path.relative_to(folder / half)) for path in videos_below(folder / half)} for half in ("train", "test")
        )
        assert "more/x.mp4" in train and not {path.split("/")[0] for path in train} & {path[0].upper() for path in test}
        tested += sorted(test)
    assert tested == ["a/a.avi", "c1/c1.avi", "c2/c2.avi", "b/b.avi"]


def links_of(folder, half):
    return {str(path.relative_to(folder / half)): path.resolve() for path in videos_below(folder / half)}


def test_videos_of_one_name_are_all_tested_and_none_takes_the_place_of_another(tmp_path):
    numbered = [f"{kind}/00{number}.mp4" for kind in "ABC" for number in (1, 2)]
    touch(tmp_path / "videos", *numbered, "A/alone.mp4", "A/001.avi", "deep/A/001.mp4", "C_A/001.mp4", "C/A_001.mp4")
    touch(tmp_path / "more", "A/001.mp4", "B/001.mp4", "B/001~2.mp4", "C/new.mp4")
    videos, more = videos_below(tmp_path / "videos"), videos_below(tmp_path / "more")
    folders = fold_folders(tmp_path / "videos", [tmp_path / "more", tmp_path / "videos" / "B"], 2, tmp_path / "results")
    tested = [item for folder in folders for item in links_of(folder, "test").items()]
    assert sorted(video for _, video in tested) == videos and len({Path(link).parent for link, _ in tested}) == len(videos)
    assert {"alone/alone.mp4", "A_001/A_001.mp4", "B_001/001.mp4", "B_002/002.mp4"} <= dict(tested).keys()
    for folder in folders:
        train, test = links_of(folder, "train"), links_of(folder, "test")
        assert sorted([*train.values(), *test.values()]) == sorted(videos + more)
    assert {"B/001.mp4", "B/001~2.mp4", "B/001~2~2.mp4"} <= links_of(folders[0], "train").keys()


def test_other_videos_or_folds_than_those_of_a_run_are_refused(tmp_path):
    touch(tmp_path / "videos", "A/a.avi", "B/b.avi", "C/c.avi")
    videos = videos_below(tmp_path / "videos")
    link_fold(tmp_path / "fold", videos, [], 0, 2)
    link_fold(tmp_path / "fold", videos, [], 0, 2, trained=True)
    with pytest.raises(UserError, match="other videos or another number of folds"):
        link_fold(tmp_path / "fold", videos, [], 0, 3)
    with pytest.raises(UserError, match="other videos or another number of folds"):
        link_fold(tmp_path / "fold", videos[1:], [], 0, 2)
    touch(tmp_path / "videos", "C/c2.avi")
    with pytest.raises(UserError, match="other videos or another number of folds"):
        link_fold(tmp_path / "fold", videos_below(tmp_path / "videos"), [], 0, 2, trained=True)


def test_the_folders_of_a_trained_experiment_get_no_further_videos_for_another_one(tmp_path):
    touch(tmp_path / "videos", "A/a.avi", "B/b.avi")
    touch(tmp_path / "more", "x.mp4")
    results = tmp_path / "results"
    made = fold_folders(tmp_path / "videos", [], 2, results)
    (results / "fold_1" / "lvln_plus").mkdir()
    assert fold_folders(tmp_path / "videos", [], 2, results) == made
    with pytest.raises(UserError, match="other videos or another number of folds"):
        fold_folders(tmp_path / "videos", [tmp_path / "more"], 2, results)


def test_the_mean_is_over_windows_not_over_videos():
    def curves(windows, psnr):
        figures = {
            "psnr": [psnr, psnr - 2],
            "ssim": [0.8, 0.6],
            "sharpness_ratio": [0.9, 0.7],
            "gradient_energy_ratio": [0.5, 0.5],
        }
        return {"frames": [windows, windows], "methods": {"prediction": figures}}

    lines = table({"a": curves(1, 20.0), "b": curves(3, 24.0)}).splitlines()
    assert lines[2].startswith("| a | 1 | prediction | 20.00 / 18.00 | 19.00 | 0.800 / 0.600 | 0.7000 | 0.800 | 0.500 |")
    assert lines[-1].startswith("| **all windows** | 4 | prediction | 23.00 / 21.00 | 22.00 |")


def test_of_videos_that_are_not_equally_long_the_means_are_pooled():
    def curves(windows, frames):
        return {"frames": [windows] * len(frames), "methods": {"prediction": {name: frames for name in folds.METRICS}}}

    (line,) = [line for line in table({"a": curves(1, [20.0, 30.0]), "b": curves(3, [10.0])}).splitlines() if "all" in line]
    assert "| 13.75 | 13.75 |" in line  # (1 x 25 + 3 x 10) / 4


def test_baselines_of_keypoints_alone_are_no_row():
    frames = {name: [20.0, 22.0] for name in folds.METRICS}
    curves = {"frames": [3, 3], "methods": {"prediction": {**frames, "collapse_index": [0.5, 0.5]}, "copy": frames}}
    curves["methods"]["still"] = {"keypoint_error": [1.0, 2.0]}
    text = table({"a": curves})
    assert "still" not in text and [line.split("|")[3].strip() for line in text.splitlines()[2:4]] == ["prediction", "copy"]


def test_folds_of_other_data_are_in_another_folder_by_themselves(tmp_path):
    usual = folds.usual_results_dir
    assert str(usual(tmp_path / "UCF-101", [tmp_path / "KTH"], 4)) == "results/folds/UCF-101_KTH_4"
    assert (
        len({usual(tmp_path / name, also, count) for name in "ab" for also in ([], [tmp_path / "c"]) for count in (2, 3)}) == 8
    )


def test_a_folder_that_cannot_be_followed_is_one_line(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    done = CliRunner().invoke(folds.app, ["--exp", "lvln_plus", "--data-dir", str(tmp_path / "circle")])
    assert done.exit_code == 2 and "circle: there is no video in this folder" in done.output, done.exception


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no video"):
        videos_below(tmp_path)
    with pytest.raises(UserError, match="KEY=VALUE"):
        parse_override("training.steps")
    assert parse_override("training.steps=3") == ("training.steps", 3)


def test_every_experiment_is_trained_in_each_fold_of_persons(tmp_path, monkeypatch):
    trained = []

    def finished(name, results, *, scale, data_dir, set):
        trained.append((name, results.name, set["data.test_persons"]))
        (folder := results / Path(name).stem / "run" / "test").mkdir(parents=True)
        figures = {metric: [20.0 + len(trained)] for metric in folds.METRICS}
        curves = {"frames": [2], "methods": {"prediction": figures}}
        (folder / "horizon_by_action.json").write_text(json.dumps({"bending": curves}))
        return SimpleNamespace(folder=folder.parent, experiment=Path(name).stem)

    monkeypatch.setattr(folds, "finished_run", finished)
    monkeypatch.setattr(folds, "resolve_settings", lambda name, **options: SimpleNamespace(experiment=Path(name).stem))
    persons = ["--persons", "0, 2", "--persons", "1"]
    options = ["--exp", "a", "--exp", "b", "--data-dir", str(tmp_path), "--results-dir", str(tmp_path / "results")]
    done = CliRunner().invoke(folds.app, [*options, *persons])
    assert done.exit_code == 0, done.output
    assert trained == [(name, f"fold_{fold}", tested) for name in "ab" for fold, tested in enumerate([[0, 2], [1]])]
    text = (tmp_path / "results" / "b.md").read_text()
    assert text.startswith("# b in folds\n\n| video |")
    assert "| bending, fold 0 | 2 | prediction | 23.00" in text and "| **all windows** | 4 | prediction | 23.50" in text
    mine = tmp_path / "mine.yaml"
    done = CliRunner().invoke(folds.app, ["--exp", str(mine), *options[4:], *persons])
    assert done.exit_code == 0 and (tmp_path / "results" / "mine.md").is_file() and not mine.with_suffix(".yaml.md").exists()
    done = CliRunner().invoke(folds.app, [*options, *persons, "--also", str(tmp_path)])
    assert done.exit_code == 2 and "--also: further videos train with folds of classes" in done.output


def test_a_table_of_a_user_is_kept_before_anything_is_linked_or_trained(tmp_path, monkeypatch):
    touch(tmp_path, "videos/A/a.avi", "videos/B/b.avi", "results/a.md", "results/b.md")
    (results := tmp_path / "results").joinpath("b.md").write_text("# a in folds\n")  # a copy of another table
    monkeypatch.setattr(folds, "finished_run", lambda *values, **options: pytest.fail("a run was trained"))
    options = ["--exp", "a", "--exp", "b", "--data-dir", str(tmp_path / "videos"), "--results-dir", str(results)]
    done = CliRunner().invoke(folds.app, options)
    mend = "and is not replaced; move it away, or choose another --results-dir"
    said = [f"error: {results / name}.md: this file is no table of {name} in folds, {mend}" for name in "ab"]
    assert done.exit_code == 2 and done.stderr.splitlines() == said
    assert {path.name for path in results.iterdir()} == {"a.md", "b.md"} and not (results / "a.md").read_text()


def test_no_table_takes_the_place_of_another(tmp_path):
    files, results = [str(tmp_path / folder / "mine.yaml") for folder in "ab"], tmp_path / "results"
    options = ["--exp", files[0], "--exp", files[1], "--data-dir", "nowhere", "--results-dir", str(results)]
    done = CliRunner().invoke(folds.app, options)
    said = f"--exp {files[1]}: {results}/mine.md is the table of another --exp; leave one out, or rename its file"
    assert done.exit_code == 2 and done.stderr == f"error: {said}\n"


def test_two_files_of_one_experiment_are_one_line_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(folds, "finished_run", lambda *values, **options: pytest.fail("a run was trained"))
    touch(tmp_path, "videos/A/a.avi", "videos/B/b.avi")
    files = [tmp_path / f"{name}.yaml" for name in "ab"]
    for steps, file in enumerate(files, 1):
        file.write_text(f"base: {find_experiment('lvln_plus')}\nexperiment: mine\ntraining: {{steps: {steps}}}\n")
    options = ["--exp", str(files[0]), "--exp", str(files[1]), "--data-dir", str(tmp_path / "videos")]
    done = CliRunner().invoke(folds.app, [*options, "--folds", "2", "--results-dir", str(tmp_path / "results")])
    said = f"--exp {files[1]}: its experiment is called mine, as that of {files[0]}: give it another name"
    assert done.exit_code == 2 and done.stderr.splitlines() == [f"error: {said}"]


def test_a_folder_in_a_run_is_no_place_for_tables(tmp_path):
    mark_folder(tmp_path, RUN)
    done = CliRunner().invoke(folds.app, ["--exp", "a", "--data-dir", "nowhere", "--results-dir", str(tmp_path / "folds")])
    assert done.exit_code == 2 and f"a.md: lies in the run {tmp_path}, whose files stay as they are" in done.stderr


def test_wrong_persons_are_one_line():
    assert persons_of_folds(["0, 1", "2"]) == [{"data.test_persons": [0, 1]}, {"data.test_persons": [2]}]
    assert persons_of_folds(None) == [{}]
    for wrong in ("x", "²", "-1"):
        with pytest.raises(UserError, match=f"--persons: {wrong} is no number"):
            persons_of_folds([wrong])
    with pytest.raises(UserError, match="--persons: 1 would test twice"):
        persons_of_folds(["0, 1", "01"])
    with pytest.raises(UserError, match="--persons: a fold without persons"):
        persons_of_folds(["0", " , "])
