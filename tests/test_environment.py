"""Other people's environments: what they say of Keras and Matplotlib is overruled where the package needs another thing."""

import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from analogy.errors import UserError

ROOT = Path(__file__).parent.parent
# Prints what Keras and Matplotlib are like after the package was imported. Importing Keras takes seconds: one process asks all.
ASK = """
import analogy, keras, matplotlib, json
config = keras.config
print(json.dumps([config.backend(), config.floatx(), config.epsilon(), config.image_data_format()]))
"""


@pytest.mark.slow
def test_a_foreign_keras_json_and_notebook_do_not_change_the_numbers(tmp_path):
    odd = {"backend": "jax", "floatx": "float16", "epsilon": 1e-3, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(odd))
    more = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch", "MPLBACKEND": "module://not_installed.inline"}
    more["TF_USE_LEGACY_KERAS"] = "1"
    environment = {**os.environ, **more, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["tensorflow", "float32", 1e-7, "channels_last"]
    said = [line for line in done.stderr.splitlines() if "is overruled" in line]
    asked = ["KERAS_BACKEND=torch", "floatx=float16", "epsilon=0.001", "image_data_format=channels_first", "MPLBACKEND=module"]
    assert len(said) == len(asked) and all(text in line for text, line in zip(asked, said, strict=True)), said


@pytest.fixture
def prepare(monkeypatch, tmp_path, caplog):
    """prepare(content of keras.json, ...) -> what is said where Keras was not imported yet."""
    from analogy import environment

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    def run(content: str | None = None, **variables: str) -> list[str]:
        if content is not None:
            (tmp_path / "keras.json").write_text(content)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        caplog.clear()
        environment.prepare_environment()
        return [record.message for record in caplog.records]

    return run


@pytest.mark.parametrize("content", [None, "", "{", "{}", '{"backend": "tensorflow", "floatx": "float32"}'])
def test_what_agrees_or_cannot_be_read_is_not_mentioned(prepare, content):
    assert prepare(content) == []
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert prepare(content, KERAS_BACKEND="tensorflow", MPLBACKEND="agg") == []


def test_a_pipe_of_the_name_of_keras_json_is_not_waited_for(prepare, tmp_path):
    os.mkfifo(tmp_path / "keras.json")
    (said,) = prepare()
    assert "keras.json: Keras cannot read this (it is no file)" in said and os.environ["KERAS_HOME"] != str(tmp_path)


@pytest.mark.parametrize("content", ["[]", '{"floatx": "float99"}', '{"epsilon": 1}', '{"floatx": 16}', "[" * 100_000])
def test_what_keras_cannot_be_imported_beside_is_passed_over(prepare, tmp_path, content):
    (said,) = prepare(content)
    assert said.endswith("mend or delete the file") and os.environ["KERAS_HOME"] != str(tmp_path)


def test_a_backend_of_keras_json_is_overruled(prepare):
    (said,) = prepare('{"backend": "jax"}')
    assert "keras.json: backend=jax is overruled" in said and os.environ["KERAS_BACKEND"] == "tensorflow"


def test_keras_that_runs_on_another_backend_already_is_an_error(monkeypatch):
    import keras

    from analogy import environment

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(UserError, match="KERAS_BACKEND=tensorflow"):
        environment.prepare_environment()


def test_a_user_without_a_home_gets_one(monkeypatch, tmp_path):
    """Keras would make a folder `~` in the current one."""
    from analogy import environment

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (line,) = environment._set_home()
    assert os.environ["HOME"] == str(tmp_path / f"analogy-{os.getuid()}") and "there is no home folder" in line
    assert not environment._set_home()
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "nobody"))  # as /nonexistent, which nobody may make
    (line,) = environment._set_home()
    assert os.environ["HOME"] == str(tmp_path / f"analogy-{os.getuid()}") and f"no home folder {tmp_path}/file/nobody" in line
    for home in (tmp_path, tmp_path / "new" / "home"):
        monkeypatch.setenv("HOME", str(home))
        assert not environment._set_home()


def test_what_a_notebook_changes_after_the_import_is_overruled_too(caplog):
    import keras

    from analogy.settings import find_experiment, load_settings
    from analogy.systems import SYSTEMS
    from analogy.training.distribute import local_strategy
    from analogy.training.loop import build_system
    from tests.conftest import QUICK

    settings = load_settings(find_experiment("seq2seq_sins_l1"), SYSTEMS, scale="demo", overrides=QUICK)
    keras.config.set_floatx("float64")
    try:
        system = build_system(SYSTEMS[settings.system].build, settings, local_strategy("cpu"), None, {})
        assert keras.config.floatx() == "float32"
    finally:
        keras.config.set_floatx("float32")
    held = [variable for part in (system.models, system.optimizers) for each in part.values() for variable in each.variables]
    assert {keras.backend.standardize_dtype(variable.dtype) for variable in held} == {"float32", "int64"}
    assert "keras.config: floatx=float64 is overruled" in caplog.text
