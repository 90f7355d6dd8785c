"""The pictures of the README: where they cannot be written, nothing is trained for them."""

import pytest
from typer.testing import CliRunner

from experiments import readme_pictures


@pytest.mark.parametrize(
    ("there", "said"),
    [("out/person.gif", "person.gif: is there already, and is not replaced; name another"), ("out", "is a file; name another")],
)
def test_places_of_others_are_refused_before_anything_is_trained(tmp_path, monkeypatch, there, said):
    monkeypatch.setattr(readme_pictures, "demo_run", lambda *values: pytest.fail("a run was trained"))
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("precious")
    done = CliRunner().invoke(readme_pictures.app, ["--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and said in done.stderr and (tmp_path / there).read_text() == "precious"
