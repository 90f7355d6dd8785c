"""YAML files, their bases, demo blocks and --set become validated settings, or one line that says how to mend them."""

import re
from pathlib import Path

import pytest
import yaml

from analogy.errors import UserError
from analogy.resolve import resolve_settings
from analogy.settings import list_experiments, load_settings, write_settings
from analogy.settings.experiments import find_experiment
from analogy.settings.loading import parse_yaml, read_experiment, settings_text
from analogy.settings.sections import PeopleDataSettings
from analogy.systems import SYSTEMS
from data_prep.datasets import DATASETS, find_opening

POOL3 = find_experiment("analogy_pool3")
EXPERIMENTS = [experiment.path for experiment in list_experiments().values()]
IDS = '[0050, 0280, 0445, 1198, "7"]'


def load(*overrides, path=POOL3, scale="paper"):
    return load_settings(path, SYSTEMS, scale=scale, overrides=overrides)


def complaint(*overrides, **options) -> str:
    with pytest.raises(UserError) as caught:
        load(*overrides, **options)
    return str(caught.value)


@pytest.fixture
def write(tmp_path):
    """write(text, name) -> a file that refines analogy_pool3."""

    def make(text: str, name: str = "mine.yaml", base: str = str(POOL3)) -> Path:
        path = tmp_path / name
        path.write_text(f"base: {base}\n{text}\n", encoding="utf-8")
        return path

    return make


def test_clip_ids_stay_text(write):
    from_file = load(path=write(f"data: {{train_clips: {IDS}}}\nevaluation:\n  preferred_clips: {IDS}"))
    from_option = load(f"data.train_clips={IDS}", f"evaluation.preferred_clips={IDS}")
    for settings in (from_file, from_option):
        assert settings.data.train_clips == ["0050", "0280", "0445", "1198", "7"]
        assert settings.evaluation.preferred_clips == settings.data.train_clips
    assert load("data.test_clips=[50]").data.test_clips == ["0050"]
    assert load("data.test_clips=split.txt").data.test_clips == str(Path("split.txt").resolve())


@pytest.mark.parametrize(
    "folder", ["/data/Penn #2", "/data/a: b", "/data/[x]", "/data/'q' \"q\"", "/data/-x\ny", "/null", "/1e3"]
)
def test_a_value_is_taken_as_it_is(tmp_path, folder):
    values = {"data.folder": folder, "data.train_clips": ["0050", "a #b"], "training.steps": 7, "training.start_from": None}
    settings = load_settings(POOL3, SYSTEMS, scale="paper", values=values, overrides=["training.steps=8"])
    assert settings.data.folder == folder and settings.data.train_clips == ["0050", "a #b"] and settings.training.steps == 8
    write_settings(settings, tmp_path / "settings.yaml")
    assert load(path=tmp_path / "settings.yaml") == settings


@pytest.mark.parametrize("text", ["data.folder=/data/Penn #2", "training.steps=3 # few", "data.folder=#2"])
def test_what_yaml_would_drop_from_an_override_is_refused(text):
    assert complaint(text).startswith(f"--set {text}: `#") and "put the value in quotes" in complaint(text)


def test_an_override_in_quotes_keeps_all(write):
    assert load('data.folder="/data/Penn #2"').data.folder == "/data/Penn #2"


def test_all_paths_of_a_run_are_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    values = {"data.folder": "penn", "data.cache": "../cache", "data.train_clips": "a.txt", "data.test_clips": "~/b.txt"}
    data = load_settings(POOL3, SYSTEMS, scale="paper", values=values).data
    assert data.folder == str(tmp_path / "penn") and data.cache == str(tmp_path.parent / "cache")
    assert data.train_clips == str(tmp_path / "a.txt") and data.test_clips == str(Path.home().resolve() / "b.txt")


def test_a_path_that_cannot_be_followed_is_one_line():
    assert "data.folder: this is no path that can be followed" in complaint("data.folder=~nobody_of_that_name/penn")


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", "-x", "a\nb", "a\0b", "", " ", "x" * 101, "/tmp/x", ".."])
def test_an_experiment_is_the_name_of_a_folder(name):
    with pytest.raises(UserError, match="experiment: it names a folder: choose"):
        load_settings(POOL3, SYSTEMS, scale="paper", values={"experiment": name})


@pytest.mark.parametrize("name", ["comparisons", "predictions", "exports", "recognised_actions"])
def test_folders_beside_the_experiments_are_no_experiments(name):
    assert f"experiment: results/{name} is kept for {name}" in complaint(f"experiment={name}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("5E3", 5e3), ("-2.5e-3", -2.5e-3), (".5", 0.5), ("10", 10), ("0", 0), ("1_000", 1000),
     ("5e+03", 5e3), ("1e3", 1e3), ("1.e3", 1e3), ("1_", "1_"), ("1__0", "1__0"), ("1,000", "1,000"), ("0x10", "0x10"),
     ("0445", "0445"), ("0o17", "0o17"), ("on", "on"), ("no", "no"), ("1:30", "1:30"), ("2020-01-01", "2020-01-01"),
     ("true", True), ("null", None), ("", None)],
)  # fmt: skip
def test_scalars_mean_what_people_mean(text, value):
    parsed = parse_yaml(text, "here")
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize("text", ["5e+03", "5E3", "5000.0", "'5000'", "5_000"])
def test_a_number_of_steps_may_be_written_as_any_number(text):
    assert load(f"training.steps={text}").training.steps == 5000


def test_a_number_where_text_is_needed_is_said_with_the_mend():
    assert "data.folder: Input should be a valid string (got 2026); in quotes it is text" in complaint("data.folder=2026")


def test_aliases_stand_for_what_they_name_and_do_not_fill_the_memory():
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]", "here") == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
    many = "a: &a [x, x]\n" + "".join(f"{chr(i + 1)}: &{chr(i + 1)} [*{chr(i)}, *{chr(i)}]\n" for i in range(97, 121))
    for text in (many, "a: &a [*a]", "a: &a {b: {c: *a}}"):
        with pytest.raises(UserError, match="not valid YAML: its aliases unfold to too much"):
            parse_yaml(text, "here")


def test_a_key_that_stands_twice_is_an_error(write):
    message = complaint(path=write("data:\n  gray: true\n  padding: 3\n  gray: false"))
    assert "mine.yaml, line 3" in message and "'gray' stands twice" in message


def test_bases_in_a_circle_are_named(write):
    write("seed: 1", "b.yaml", base="c.yaml")
    write("seed: 2", "c.yaml", base="a.yaml")
    assert "a.yaml -> b.yaml -> c.yaml -> a.yaml" in complaint(path=write("", "a.yaml", base="b.yaml"))


def test_a_base_may_be_the_name_of_an_experiment(write):
    own, base = (read_experiment(path) for path in (write("seed: 7", base="analogy_pool3"), POOL3))
    assert own == {**base, "seed": 7}


def test_a_missing_base_is_named(write):
    message = complaint(path=write("", base="nowhere.yaml"))
    assert "mine.yaml" in message and "nowhere.yaml" in message


@pytest.mark.parametrize(
    ("override", "nearest"),
    [("training.step=5", "training.steps"), ("generator_optimizer.learning_rat=1", "generator_optimizer.learning_rate"),
     ("data.min_distance=1", "data.min_frame_distance"), ("sed=1", "seed"), ("los.l2=1", "loss")],
)  # fmt: skip
def test_an_unknown_key_names_the_nearest(override, nearest):
    message = complaint(override)
    assert f"unknown setting {override.split('=')[0].removesuffix('.l2')};" in message
    assert message.endswith(f"the nearest valid one is {nearest}")


def test_an_unknown_key_of_a_file_names_the_file(write):
    assert "mine.yaml: unknown setting data.grey; the nearest valid one is data.gray" in complaint(
        path=write("data: {grey: true}")
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [("training.steps", "ten"), ("training.steps", "0"), ("loss.l2", "-1"), ("data.crop", "wide"), ("seed", "1.5"),
     ("data.train_clips", "true"), ("data.test_clips", "[[1]]"), ("data.image_size", "big"), ("training", "5"),
     ("discriminator.dropout", "1"), ("training.devices", "tpu"), ("generator_optimizer.learning_rate", "null"),
     ("seed", "true"), ("data.gray", "1"), ("data.image_size", "true"), ("loss.l2", ".inf"), ("loss.l2", ".nan")],
)  # fmt: skip
def test_an_ill_typed_value_names_its_key(key, value):
    lines = complaint(f"{key}={value}").splitlines()
    assert all(f": {key}" in line for line in lines), lines


def test_a_run_starts_from_all_networks_of_another_or_from_some(write):
    every = load("training.start_from=pool3").training.start_from
    assert every.run == "pool3" and every.networks is None
    some = load("training.start_from={run: pool3, networks: [generator]}")
    assert some.training.start_from.networks == ["generator"]
    for settings, text in ((load("training.start_from=pool3"), "start_from: pool3\n"), (some, "networks:")):
        assert text in settings_text(settings)
        assert load(path=write(settings_text(settings))) == settings
    from_file = write("training: {start_from: {run: a, networks: [b]}}")
    assert load("training.start_from=null", path=from_file).training.start_from is None
    for wrong, message in (
        ("{networks: [a]}", "training.start_from.run is missing"),
        ("{run: a, networks: []}", "training.start_from.networks: "),
        (
            "{run: a, nets: [a]}",
            "unknown setting training.start_from.nets; the nearest valid one is training.start_from.networks",
        ),
        ("5", "training.start_from: "),
    ):
        assert message in complaint(f"training.start_from={wrong}")


@pytest.mark.parametrize("override", ["training.steps", "=5", "seed=[1", "seed={a: 1, a: 2}"])
def test_an_override_that_cannot_be_read_is_quoted(override):
    assert f"--set {override}"[:11] in complaint(override)


LONG = "x" * 5000


@pytest.mark.parametrize(
    "override",
    [f"training.steps={LONG}", LONG, f"{LONG}=1", f"a.{LONG}=[", f"data.folder=/a #{LONG}", f"training=[{LONG}]",
     f"scale={LONG}", f"system={LONG}", f"seed={LONG}\n\n{LONG}", f"data.image_size={{a: {LONG}}}"],
    ids=lambda override: override[:20],
)  # fmt: skip
def test_a_very_long_override_is_shown_by_its_beginning(override):
    message = complaint(override).replace(str(POOL3), POOL3.name)  # the clone may lie deep
    assert len(message) < 1000 and max(map(len, message.splitlines())) < 500, message


def test_the_image_must_halve_evenly():
    message = complaint("data.image_size=[64, 60]")
    assert "data.image_size is 64 x 60" in message and "multiples of 8" in message
    assert load("data.image_size=[64, 56]").data.image_size == (64, 56)
    assert "multiples of 16" in complaint("data.image_size=56", "generator.depth=4")


@pytest.mark.parametrize("system", ["villegas", "null", "[analogy_gan]"])
def test_an_unknown_system_names_the_known_ones(system):
    message = complaint(f"system={system}")
    assert ": system: " in message and message.endswith(f"is not one of {', '.join(SYSTEMS)}")


def test_a_demo_block_that_is_no_mapping_is_an_error(write):
    assert "mine.yaml: demo: expected" in complaint(path=write("demo: 5"))


def test_a_generated_block_that_is_no_mapping_is_an_error(write):
    assert "mine.yaml: demo: generated: expected" in complaint(path=write("demo: {generated: 5}"))


@pytest.mark.parametrize("name", [name for name in list_experiments() if re.match("keypoints_(nemo|mgif|weizmann)", name)])
def test_a_folder_without_labels_is_cropped_at_demo_scale_as_published(name):
    path = find_experiment(name)
    published = load(path=path).data
    values = {"data.folder": "films", "data.dataset": published.dataset}
    demo = load_settings(path, SYSTEMS, scale="demo", values=values).data
    assert demo.crop == published.crop and demo.crop in ("full", "centre")  # no boxes around people
    assert demo.actions == published.actions and demo.test_persons == published.test_persons
    assert load(path=path, scale="demo").data.crop == "consistent"  # of the rendered people


def test_the_demo_block_counts_only_at_scale_demo(write):
    path = write("seed: 1\ntraining: {steps: 7}\ndemo:\n  seed: 2\n  training: {batch_size: 3}")
    paper, demo = load(path=path), load(path=path, scale="demo")
    assert (paper.scale, paper.seed, paper.training.steps, paper.training.batch_size) == ("paper", 1, 7, 4)
    assert (demo.seed, demo.training.batch_size) == (2, 3)
    assert demo.training.steps == 1500, "an inherited demo block outranks the file's own training block"
    assert (paper.data.image_size, demo.data.image_size) == ((224, 224), (64, 64))
    assert load("seed=3", path=path, scale="demo").seed == 3


@pytest.mark.parametrize("scale", ["paper", "demo"])
@pytest.mark.parametrize(
    "overrides",
    [(), (f"data.train_clips={IDS}", "data.test_clips=[0089, 'on', '1:30']", "data.image_size=[64, 72]"),
     ("data.train_clips=['12e3']",), ("summary='1e5'",),
     ("loss.l2=1e20", "generator_optimizer.learning_rate=1e-12", "source='Ünïcode: #1, ~'")],
)  # fmt: skip
def test_written_settings_load_as_they_were(tmp_path, scale, overrides):
    settings = load(*overrides, scale=scale)
    write_settings(settings, tmp_path / "settings.yaml")
    assert load(path=tmp_path / "settings.yaml", scale=scale) == settings
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load().training.steps = 1


def test_find_experiment(tmp_path):
    assert find_experiment("analogy_pool3") == POOL3
    assert find_experiment(str(POOL3)) == POOL3
    for name, expected in (("analogy_pol3", "did you mean analogy_pool3"), ("zzz", "--list"), ("base", "no experiment"),
                           ("no.yaml", "no such file")):  # fmt: skip
        with pytest.raises(UserError, match=expected) as caught:
            find_experiment(name)
        assert f"--exp {name}" in str(caught.value)


def test_only_files_with_an_experiment_are_listed():
    listed = list_experiments()
    assert set(listed) == {path.stem for path in EXPERIMENTS} and "analogy_pool3" in listed
    assert not {"base", "analogy_base"} & set(listed)
    assert all(experiment.summary and experiment.source for experiment in listed.values())


@pytest.mark.parametrize("scale", ["paper", "demo"])
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_loads(path, scale):
    settings = load(path=path, scale=scale)
    assert settings.experiment == path.stem == read_experiment(path)["experiment"]
    assert settings.scale == scale and settings.system in SYSTEMS
    assert find_opening(settings).function  # the dataset is there, and goes with the system
    assert scale == "paper" or DATASETS[settings.data.dataset].generated  # demo scale needs no dataset
    if isinstance(settings.data, PeopleDataSettings) and settings.data.kind != "pairs":  # pairs are of other things too
        assert settings.data.dataset == {"paper": "penn_action", "demo": "synthetic_actors"}[scale]


def test_analogy_pool3_has_the_published_values():
    settings = load()
    for optimizer, rate in ((settings.generator_optimizer, 1e-4), (settings.discriminator_optimizer, 5e-5)):
        assert (optimizer.name, optimizer.learning_rate, optimizer.epsilon, optimizer.decay) == ("adam", rate, 1e-8, 1)
        assert (optimizer.beta_1, optimizer.beta_2) == (0.9, 0.999)
    loss, data = settings.loss, settings.data
    assert (loss.l2, loss.adversarial, loss.real, loss.generated, loss.mismatch) == (100, 1, 1, 0.5, 0.5)
    assert (loss.latent, loss.feature, loss.guard) == (0, 0, "original")
    assert (settings.training.batch_size, settings.training.steps) == (4, 200_000)
    assert (data.image_size, data.crop, data.padding) == ((224, 224), "consistent", 10)
    assert not data.flip_exchanges_joints and not data.gray
    assert (settings.generator.depth, settings.generator.width) == (3, 1)


def test_other_readers_of_stored_settings_take_clip_names_for_text():

    settings = load("data.train_clips=[0050, 0280]")
    assert yaml.safe_load(settings_text(settings))["data"]["train_clips"] == ["0050", "0280"]


def test_a_paper_is_listed_by_its_folder_alone(monkeypatch, tmp_path):
    path = tmp_path / "sixth" / "configs" / "drift.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("experiment: drift\nsummary: Squares\nsource: nobody\n")
    path.with_name("drift_base.yaml").write_text("summary: not an experiment\n")
    monkeypatch.setattr("analogy.settings.experiments.PAPERS", tmp_path)
    assert list_experiments() == {"drift": ("sixth", "Squares", "nobody", path)}


def test_the_scale_of_a_run_stays_what_it_was(tmp_path):
    """Its settings are resolved, so another scale would be recorded, and change nothing."""
    settings = resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo")
    write_settings(settings, tmp_path / "settings.yaml")
    again = str(tmp_path / "settings.yaml")
    assert (
        resolve_settings(again, results_dir=tmp_path) == resolve_settings(again, results_dir=tmp_path, scale="demo") == settings
    )
    with pytest.raises(UserError, match=r"--scale paper: .* has the settings of a run at scale demo; leave --scale out"):
        resolve_settings(again, results_dir=tmp_path, scale="paper")
    with pytest.raises(UserError, match=r"--set scale=paper: .*choose it with --scale"):
        resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo", overrides=["scale=paper"])


def test_a_folder_that_settings_cannot_keep_is_refused(tmp_path):
    (tmp_path / "no\udcfftext").mkdir()
    with pytest.raises(UserError, match=r"data\.folder: its name is no UTF-8, which settings\.yaml cannot keep"):
        resolve_settings("analogy_pool3", results_dir=tmp_path, data_dir=tmp_path / "no\udcfftext")


@pytest.mark.parametrize("name", ["index.html", " pool3", "pool3 "])
def test_an_experiment_takes_no_name_of_something_else(tmp_path, name):
    with pytest.raises(UserError, match="experiment: "):
        resolve_settings("analogy_pool3", results_dir=tmp_path, scale="demo", values={"experiment": name})


def test_what_a_demo_says_to_try_next_are_other_experiments_with_figures():
    listed = list_experiments()
    hints = {name: load(path=entry.path, scale="demo").try_next for name, entry in listed.items()}
    assert list(hints["analogy_pool3"]) == ["analogy_masked", "keypoints_plus"] and not load().try_next
    for name, experiments in hints.items():
        assert name not in experiments and experiments.keys() <= listed.keys()
        assert all("copying" in reaches for reaches in experiments.values())
