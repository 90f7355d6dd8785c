"""Section, the base class of every group of settings."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

LARGEST = 1e30  # of a number with a fraction; float32 ends at 3.4e38


class Section(BaseModel):
    """A group of settings. It cannot be changed, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_not_one(cls, value: object, info: ValidationInfo) -> object:
        """Refuse a bool in place of a number, and a number in place of a bool. Python would accept both."""
        wants_bool = cls.model_fields[info.field_name].annotation is bool
        if isinstance(value, bool) and not wants_bool:
            raise ValueError("true and false have no meaning here")
        if wants_bool and not isinstance(value, bool):
            raise ValueError("choose true or false")
        return value

    @field_validator("*")
    @classmethod
    def _no_number_without_end(cls, value: object) -> object:
        """Refuse what float32 cannot hold: it would be infinite at the first step."""
        numbers = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(number, float) and abs(number) > LARGEST for number in numbers):
            raise ValueError(f"choose a number up to {LARGEST:g}")
        return value

    def files(self) -> Iterator[tuple[str, str]]:
        """(setting, path) of each file that a run reads, nested sections included. A run starts only if all exist."""
        for name in type(self).model_fields:
            if isinstance(section := getattr(self, name), Section):
                yield from ((f"{name}.{key}", path) for key, path in section.files())
