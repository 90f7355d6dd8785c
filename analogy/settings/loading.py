"""YAML files -> validated settings.

They are merged in this order; a later one overrides an earlier one: the file named by `base:` (after its own base), the
experiment's file, its `demo:` block at demo scale (and of that the `generated:` block where no folder holds the dataset),
command-line options, `--set`.
"""

from __future__ import annotations

import difflib
import os
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from analogy.errors import UserError, shortened
from analogy.files.reading import read_regular, read_yaml
from analogy.files.writing import replacing
from analogy.settings.sections import Settings

PAPERS = Path(__file__).parent.parent / "systems"  # a folder of a paper has its experiments in `configs`
# Searched for a `base:` that is not beside the file that names it: what experiments share, and the experiments themselves.
CONFIGS = (Path(__file__).parent / "configs", *sorted(PAPERS.glob("*/configs")))

Model = TypeVar("Model", bound=BaseModel)


class HasSettings(Protocol):
    """The part of an entry of SYSTEMS that loading needs: the class of the system's settings."""

    settings: type[Settings]


class _Dumper(yaml.SafeDumper):
    """A YAML writer that quotes exactly the texts which `_Loader` would read as another type without quotes."""

    yaml_implicit_resolvers: dict = {}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A YAML reader without the surprises of YAML 1.1: 0050 is text (not octal 40), 1e-4 is a number, on and off are text, a
    repeated key is an error."""

    yaml_implicit_resolvers: dict = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"true|True|false|False", "tTfF"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)", "-+0123456789"),
    ("float", r"[-+]?((0|[1-9][0-9_]*)?\.[0-9]+([eE][-+]?[0-9]+)?|(0|[1-9][0-9]*)(\.?[eE][-+]?[0-9]+|\.))|[-+]?\.inf|\.nan",
     "-+.0123456789"),
):  # fmt: skip
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


# Quoted for other YAML readers, which follow YAML 1.1 and read a bare 0050 as the number 40.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^0[0-9_]+$"), ["0"])


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(node.value.replace("_", ""))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_yaml(text: str, where: str) -> object:
    """Parse YAML. where: the name of the text in error messages. Raises UserError."""
    try:
        return read_yaml(text, _Loader)  # it is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{where}{line}: not valid YAML: {problem}") from error


def read_mapping(path: Path) -> dict:
    """The content of a YAML file of `key: value` lines. Raises UserError."""
    try:
        content = parse_yaml(read_regular(path).decode("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise UserError(f"{path}: expected `key: value` lines, found {found}")
    return content


def merge(lower: Mapping, upper: Mapping, where: str) -> dict:
    """Merge two mappings key by key. A value of `upper` replaces that of `lower`; where both are mappings, they are merged too.

    null may replace a mapping. where: the name of `upper` in error messages.

    Raises:
        UserError: another value than null or a mapping would replace a mapping.
    """
    merged = dict(lower)
    for key, value in upper.items():
        if isinstance(merged.get(key), Mapping):
            if value is None:  # such as `--set training.start_from=null`; validation later reports a key that must not be null
                merged[key] = None
                continue
            if not isinstance(value, Mapping):
                raise UserError(f"{where}: {key}: expected `key: value` settings, found {reprlib.repr(value)}")
            value = merge(merged[key], value, f"{where}: {key}")
        merged[key] = value
    return merged


def read_experiment(path: Path, refining_files: tuple[Path, ...] = ()) -> dict:
    """The content of an experiment's file merged with that of its bases, without the key `base`.

    refining_files: the files that have led here by their key `base`.

    Raises:
        UserError: a file is missing or not valid, or the bases form a circle.
    """
    path = path.resolve()
    if path in refining_files:
        chain = " -> ".join(p.name for p in (*refining_files, path))
        raise UserError(f"{path}: `base` goes round in a circle: {chain}")
    content = read_mapping(path)
    base = content.pop("base", None)
    if base is None:
        return content
    named = (folder / name for name in (str(base), f"{base}.yaml") for folder in (path.parent, *CONFIGS))
    base_path = next((file for file in named if file.is_file()), None)
    if base_path is None:
        raise UserError(
            f"{path}: base: {base}: there is no file of that name in {path.parent}, and no experiment; "
            "`analogy list` shows all of them"
        )
    return merge(read_experiment(base_path, (*refining_files, path)), content, str(path))


def apply_overrides(content: dict, overrides: Sequence[str]) -> dict:
    """Apply `a.b=value` texts; the value is YAML. Unknown keys are applied too: validation reports them. Raises UserError."""
    for override in overrides:
        content = _set(content, *parse_override(override), f"--set {shortened(override)}")
    return content


def parse_override(override: str) -> tuple[str, object]:
    """`a.b=value` -> the dotted key, and the value as YAML has it. Raises UserError."""
    key, separator, text = override.partition("=")
    where = f"--set {shortened(override)}"
    if not separator or not key.strip():
        raise UserError(f"{where}: expected KEY=VALUE, such as --set training.steps=100")
    value = parse_yaml(text, where)
    _refuse_comment(text, where)
    return key.strip(), value


def _refuse_comment(text: str, where: str) -> None:
    """Raise a UserError where YAML would drop the end of a value as a comment, such as `#2` of `/data/Penn #2`."""
    node = yaml.compose(text, _Loader)
    if dropped := text[node.end_mark.index if node else 0 :].strip():
        raise UserError(
            f"{where}: `{shortened(dropped)}` would be a comment in YAML; put the value in quotes: --set 'KEY=\"VALUE\"'"
        )


def _set(content: dict, key: str, value: object, where: str) -> dict:
    """A copy of `content` with `value` at a dotted key. Raises UserError."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return merge(content, value, where)


def load_settings(
    path: Path,
    systems: Mapping[str, HasSettings],
    *,
    scale: str,
    values: Mapping[str, object] | None = None,
    overrides: Sequence[str] = (),
) -> Settings:
    """Read, merge and validate an experiment.

    Args:
        path: the experiment's file; or the `settings.yaml` of a run, which has no base and no demo block.
        systems: system name -> entry with the class of its settings, such as `analogy.systems.SYSTEMS`.
        scale: "paper" or "demo".
        values: dotted key -> value, set by a program. Values are used as they are, not parsed as YAML.
        overrides: `a.b=value` texts, written by a user; the value is YAML. They are applied last.

    Raises:
        UserError: one line for each mistake, which names the file, the key and, for an unknown key, the nearest valid one.
    """
    content = read_experiment(path)
    demo = content.pop("demo", {})
    generated = demo.pop("generated", {}) if isinstance(demo, dict) else {}
    for name, block, what in (("demo", demo, "at demo scale"), ("demo: generated", generated, "where the data are generated")):
        if not isinstance(block, Mapping):
            raise UserError(f"{path}: {name}: expected the settings that differ {what}, found {reprlib.repr(block)}")
    if scale == "demo":
        content = merge(content, demo, f"{path}: demo")
        if not (values or {}).get("data.folder"):
            content = merge(content, generated, f"{path}: demo: generated")
    content["scale"] = scale
    for key, value in (values or {}).items():
        content = _set(content, key, os.fspath(value) if isinstance(value, os.PathLike) else value, key)
    content = apply_overrides(content, overrides)
    if content["scale"] != scale:
        raise UserError(
            f"--set scale={shortened(str(content['scale']))}: it would be recorded, and change nothing; choose it with --scale"
        )
    system = content.get("system")
    if not isinstance(system, str) or system not in systems:
        raise UserError(f"{path}: system: {shortened(repr(system))} is not one of {', '.join(systems)}")
    return validated(systems[system].settings, content, f"{path}, --set" if overrides or values else str(path))


def validated(schema: type[Model], content: dict, where: str) -> Model:
    """What a YAML file says, as a model of pydantic. where: the name of the file in error messages.

    Raises:
        UserError: one line for each mistake, which names the file, the key and, for an unknown key, the nearest valid one.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise UserError(*(_explain(fault, schema, where) for fault in error.errors())) from error


# What pydantic has between the keys of the place of a fault: the kinds of values that it has tried.
_NO_KEY = r"(list|literal|function-before|function-after)\[.*|str"


def _explain(fault: dict, schema: type[BaseModel], where: str) -> str:
    """One error of pydantic as one line that a user understands and can act on."""
    location = [part for part in fault["loc"] if isinstance(part, int) or not re.fullmatch(_NO_KEY, part)]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if fault["type"] == "extra_forbidden":
        *parents, wrong = (part for part in location if isinstance(part, str))
        near = difflib.get_close_matches(wrong, _keys(schema, parents), n=1, cutoff=0.0)
        mean = ".".join([*parents, near[0]]) if near else ""
        return f"{where}: unknown setting {shortened(key)}" + (f"; the nearest valid one is {mean}" if mean else "")
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        return f"{where}: {key} is missing"
    if fault["type"] == "model_type":
        return f"{where}: {key}: expected `key: value` settings, found {reprlib.repr(fault['input'])}"
    # A whole section would be too long to show.
    received = "" if isinstance(fault["input"], dict) else f" (got {reprlib.repr(fault['input'])})"
    if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
        received += "; in quotes it is text"
    return f"{where}: {key}: {message}{received}" if key else f"{where}: {message}"


def _keys(schema: type[BaseModel], parents: Sequence[str]) -> list[str]:
    """The valid keys of the section at the path `parents`; empty if there is no such section."""
    for parent in parents:
        if (field := schema.model_fields.get(parent)) is None:
            continue  # a key of a mapping of sections
        types = (field.annotation, *get_args(field.annotation))  # `Section | None` contains the section
        schema = next((kind for kind in types if isinstance(kind, type(BaseModel))), None)
        if schema is None:
            return []
    return list(schema.model_fields)


def settings_text(settings: Settings) -> str:
    """The settings as YAML text, from which `load_settings` makes equal settings."""
    return yaml.dump(settings.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def write_settings(settings: Settings, path: Path) -> None:
    """Write the settings to a file. `--exp PATH` with that file repeats the run."""
    with replacing(path) as partial:
        partial.write_text(settings_text(settings), encoding="utf-8")
