"""What was measured before, kept in a JSON file beside a table, so that rows outlive the runs that they came from."""

from __future__ import annotations

from pathlib import Path

from analogy.errors import UserError, first_line
from analogy.files.reading import read_json
from analogy.runs.folder import write_json
from analogy.settings.section import Section


class Kept(Section):
    """A subclass says what is kept, each row by a hash of what defines it: it counts for as long as that stays the same."""

    @classmethod
    def read(cls, table: Path, what: str) -> Kept:
        """What is kept beside this table; nothing where there is no file yet. Call it before anything is trained or measured.

        what: the file holds, such as "rows of demos".

        Raises:
            UserError: the file is damaged, or another one, and would be lost; or it would be the table itself.
        """
        file = table.with_suffix(".json")
        if file == table:
            raise UserError(
                f"{table}: the rows would be kept in this file; give the table another ending, such as .md, with --out"
            )
        try:
            return cls.model_validate(read_json(file)) if file.exists() else cls()
        except (OSError, ValueError) as error:
            raise UserError(
                f"{file}: it does not hold {what} ({first_line(error)}); mend it, or move it away: then only what has its runs "
                "there is measured"
            ) from error

    def write(self, table: Path) -> None:
        """Write the file beside this table."""
        write_json(table.with_suffix(".json"), self.model_dump(mode="json", exclude_defaults=True))
