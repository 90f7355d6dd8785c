"""Published video-prediction systems, from a notebook:

    import analogy
    run = analogy.train("analogy_pool3", steps=200)
    run.test["psnr"], run.baseline["copy_reference"]["psnr"]
    run = analogy.load("results/analogy_pool3")
    frames = run.predict(frame=frame, joints=joints, next_joints=next_joints)
    analogy.predict("my_video.mp4")

`analogy.experiments()` and `analogy.datasets()` list what there is; `analogy.evaluate` measures a run again.
Importing the package is quick: everything else, TensorFlow above all, is imported when it is first used.
"""

from __future__ import annotations

from analogy.environment import prepare_environment

TYPE_CHECKING = False  # for type checkers, which know the name; `typing` itself would take a third of the time of this import
if TYPE_CHECKING:
    from analogy.api import Run, datasets, evaluate, experiments, load, predict, train
    from analogy.errors import UserError

__all__ = ["Run", "UserError", "datasets", "evaluate", "experiments", "load", "predict", "train"]

prepare_environment()


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from analogy import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
