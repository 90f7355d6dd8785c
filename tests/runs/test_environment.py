"""environment.json: whose commit is recorded."""

import subprocess
import sys

from analogy.runs import environment


def test_the_commit_is_that_of_our_own_repository_only(tmp_path, monkeypatch):
    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "somebody's")
    installed = tmp_path / "site-packages" / "environment.py"
    installed.parent.mkdir()
    installed.write_text("")
    monkeypatch.setattr(environment, "__file__", str(installed))
    monkeypatch.setattr(environment, "ROOMS_OF_CODE", (":/site-packages",))
    assert environment._commit() is None  # the package lies in somebody else's repository, which does not hold it
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    assert environment._commit() == git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook of another repository
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert environment._commit() is not None
    monkeypatch.undo()
    monkeypatch.setattr(environment, "__file__", str(installed))
    monkeypatch.setattr(environment, "ROOMS_OF_CODE", (":/site-packages",))
    (tmp_path / "notes.txt").write_text("decides no figure")
    assert environment._commit() == git("rev-parse", "HEAD")
    (tmp_path / "site-packages" / "new.py").touch()  # code that no commit has
    assert environment._commit() == git("rev-parse", "HEAD") + "+changes"
    git("add", ".")
    git("commit", "-q", "-m", "new")
    installed.write_text("# changed")
    assert environment._commit() == git("rev-parse", "HEAD") + "+changes"


def test_the_command_can_be_pasted(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run.py", "--data-dir", "/data/Penn #2"])
    assert environment.describe_environment()["command"] == "run.py --data-dir '/data/Penn #2'"


def test_a_resumed_run_keeps_the_commits_of_its_earlier_parts(monkeypatch):
    monkeypatch.setattr(environment, "_commit", lambda: "b")
    assert "earlier_commits" not in environment.describe_environment(earlier={"commit": "b"})
    second = environment.describe_environment(earlier={"commit": "a"})
    assert (second["earlier_commits"], second["commit"]) == (["a"], "b")
    monkeypatch.setattr(environment, "_commit", lambda: "c")
    third = environment.describe_environment(earlier=second)
    assert (third["earlier_commits"], third["commit"]) == (["a", "b"], "c")
    assert "earlier_commits" not in environment.describe_environment(earlier={"commit": {}, "earlier_commits": 7})  # damaged
