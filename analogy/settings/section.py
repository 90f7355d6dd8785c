"""What every group of settings is."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """A frozen group of keys: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_not_one(cls, value: object, info: ValidationInfo) -> object:
        """Python takes true for 1 and 1 for true; in a settings file either is a mistake."""
        wants_bool = cls.model_fields[info.field_name].annotation is bool
        if isinstance(value, bool) and not wants_bool:
            raise ValueError("true and false have no meaning here")
        if wants_bool and not isinstance(value, bool):
            raise ValueError("choose true or false")
        return value

    def files(self) -> Iterator[tuple[str, str]]:
        """(setting, path) of each file that a run reads, also of the sections within. A run with one missing does not start."""
        for name in type(self).model_fields:
            if isinstance(section := getattr(self, name), Section):
                yield from ((f"{name}.{key}", path) for key, path in section.files())
