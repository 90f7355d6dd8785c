"""Rows that are kept beside a table: they come back as they were, and the file of somebody else is not replaced."""

import pytest

from analogy.errors import UserError
from analogy.runs.kept import Kept


class Rows(Kept):
    rows: dict[str, list[float]] = {}


def test_rows_come_back_as_they_were(tmp_path):
    table = tmp_path / "table.md"
    assert Rows.read(table, "rows") == Rows()  # there is no file yet
    Rows(rows={"a": [0.1, 2.0]}).write(table)
    assert Rows.read(table, "rows").rows == {"a": [0.1, 2.0]} and not table.exists()


@pytest.mark.parametrize("there", ["{", '{"mine": 1}', '{"rows": {"a": "x"}}', "[]", None])
def test_a_file_without_rows_is_one_line(tmp_path, there):
    file = tmp_path / "table.json"
    file.write_text(there) if there else file.mkdir()
    with pytest.raises(UserError, match=r"table\.json: it does not hold rows \(.+\); mend it, or move it away") as caught:
        Rows.read(tmp_path / "table.md", "rows")
    assert len(caught.value.lines) == 1


def test_a_table_that_would_be_replaced_by_its_rows_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"table\.json: the rows would be kept in this file; give the table another ending"):
        Rows.read(tmp_path / "table.json", "rows")
