"""What the package needs of the home folder, Keras and Matplotlib, whatever the environment says: set at its import."""

from __future__ import annotations

import os
import sys

BACKEND = "tensorflow"
NEEDED = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}  # of Keras: its defaults
ALLOWED = {"floatx": ("float32", "float16", "float64"), "image_data_format": ("channels_last", "channels_first")}


def prepare_environment() -> None:
    """Set a home folder where there is none, Keras' backend, number type, epsilon and order of axes, and a Matplotlib that can
    draw; say what is overruled.

    Neither library is imported for it, unless keras.json deviates. Modules that only an odd environment needs are imported
    there, because this runs at every import of the package.

    Raises:
        UserError: Keras was imported before, with another backend. A process cannot change it.
    """
    if lines := [*_set_home(), *_set_keras(), *_set_matplotlib()]:
        import logging
        import multiprocessing

        if multiprocessing.parent_process() is None:  # the workers of a process do as it does
            for line in lines:
                logging.getLogger("analogy").warning(line)


def _set_home() -> list[str]:
    """A user without a name (of a container, say) has no home: Keras would make a folder `~` in the current one. That of
    others, such as `nobody`, does not exist."""
    if _can_be(before := os.path.expanduser("~")):
        return []
    from tempfile import gettempdir

    os.environ["HOME"] = home = os.path.join(gettempdir(), f"analogy-{os.getuid()}")
    named = "" if before == "~" else f" {before}"
    return [f"there is no home folder{named}: {home} is taken, also for prepared data (set HOME or ANALOGY_CACHE for another)"]


def _can_be(home: str) -> bool:
    """Whether a home folder is there, or can be made."""
    if home == "~" or os.path.isdir(home):
        return home != "~"
    above = os.path.dirname(os.path.abspath(home))
    while not os.path.exists(above):
        above = os.path.dirname(above)
    return os.path.isdir(above) and os.access(above, os.W_OK)


def _set_keras() -> list[str]:
    if "keras" in sys.modules:
        import keras

        if keras.config.backend() != BACKEND:
            from analogy.errors import UserError

            raise UserError(
                f"Keras was imported with the backend {keras.config.backend()}; analogy needs {BACKEND}: "
                f"import analogy first, or set KERAS_BACKEND={BACKEND}"
            )
        found = {name: getattr(keras.config, name)() for name in NEEDED}
        where, lines = "keras.config", []
    else:
        path = where = os.path.join(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"), "keras.json")
        found, fault = _read(path)
        named = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND"), f"{path}: backend": found.get("backend")}
        asked = [f"{source}={name}" for source, name in named.items() if name]
        lines = [f"{asked[0]} is overruled: analogy needs {BACKEND}"] if asked and not asked[0].endswith(f"={BACKEND}") else []
        lines += _without(path, fault) if fault else []
        os.environ["KERAS_BACKEND"] = BACKEND
    others = {name: found[name] for name in NEEDED if found.get(name, NEEDED[name]) != NEEDED[name]}
    if others:
        import keras

        for name in others:
            getattr(keras.config, f"set_{name}")(NEEDED[name])
    return lines + [f"{where}: {name}={value} is overruled: analogy needs {NEEDED[name]}" for name, value in others.items()]


def _read(path: str) -> tuple[dict, str]:
    """The content of keras.json, and why Keras could not be imported beside it, if so. Nothing where Keras takes none."""
    if not os.path.exists(path):
        return {}, ""
    if not os.path.isfile(path):  # Keras would wait for a pipe
        return {}, "it is no file"
    import json

    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, RecursionError) as error:
        return {}, getattr(error, "strerror", None) or "it is nested too deeply"
    except ValueError:  # which Keras passes over
        return {}, ""
    if not isinstance(content, dict):
        return {}, "it is no table of settings"
    odd = [f"{name}={content[name]}" for name, values in ALLOWED.items() if content.get(name, values[0]) not in values]
    odd += ["epsilon is no number with a point"] if not isinstance(content.get("epsilon", 1e-7), float) else []
    return ({}, odd[0]) if odd else (content, "")


def _without(path: str, fault: str) -> list[str]:
    """Let Keras look for its settings, and for what it downloads, elsewhere. Returns what to say."""
    from tempfile import gettempdir

    os.environ["KERAS_HOME"] = home = os.path.join(gettempdir(), f"analogy-{os.getuid()}", "keras")
    return [f"{path}: Keras cannot read this ({fault}), and takes {home} instead: mend or delete the file"]


def _set_matplotlib() -> list[str]:
    """A notebook's backend is inherited by the processes that it starts, where it may not be installed."""
    backend = os.environ.get("MPLBACKEND", "")
    if not backend.startswith("module://") or _is_there(backend.removeprefix("module://")):
        return []
    os.environ["MPLBACKEND"] = "agg"
    return [f"MPLBACKEND={backend} is overruled: that module is not installed"]


def _is_there(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
