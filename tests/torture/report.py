"""Makes a page from pytest's XML of `make torture`: which tests passed, and what they measured. Fails if a test failed."""

import sys
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from analogy.runs.environment import describe_environment
from analogy.visualise.html import write_page


def read_report(xml: Path) -> list[dict]:
    """A row for each test: name, outcome ("held", "failed" or "skipped"), seconds, why, and figures [(name, value)]."""
    rows = []
    for case in ElementTree.parse(xml).getroot().iter("testcase"):
        fault = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        outcome = "held" if fault is None else "skipped" if fault.tag == "skipped" else "failed"
        rows.append(
            {
                "name": case.get("name").removeprefix("test_").replace("_", " "),
                "outcome": outcome,
                "seconds": float(case.get("time")),
                "why": "" if fault is None else (fault.get("message") or fault.tag).splitlines()[0],
                "figures": [(entry.get("name"), entry.get("value")) for entry in case.iter("property")],
            }
        )
    return rows


def main() -> None:
    xml = Path(sys.argv[1])
    if not xml.is_file():
        sys.exit(f"there is no {xml}: the tests were stopped before their end")
    rows = read_report(xml)
    environment = {key: str(value) for key, value in describe_environment().items()}
    write_page(xml.with_name("index.html"), "torture.html", {"rows": rows, "environment": environment})
    failed = [row["name"] for row in rows if row["outcome"] == "failed"]
    held = sum(row["outcome"] == "held" for row in rows)
    print(f"{datetime.now():%Y-%m-%d %H:%M}: {held} of {len(rows)} hold; open {xml.with_name('index.html')}")
    if failed or not held:
        sys.exit(f"failed: {', '.join(failed) or 'nothing was tested'}")


if __name__ == "__main__":
    main()
