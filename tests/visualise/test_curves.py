"""The charts of a run's page."""

import json
import math

import pytest

from analogy.visualise.curves import curves_of


@pytest.mark.parametrize(("activation", "lines"), [("relu", 3), ("linear", 2)])
def test_where_a_relu_logit_is_dead_the_discriminators_chart_has_a_line(tmp_path, activation, lines):
    rows = [
        {"step": step, "generator/loss": 1.0, "discriminator/real": 0.2, "discriminator/generated": 0.7} for step in (5, 20)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "settings.yaml").write_text(f"network: {{fc_activation: {activation}}}\n")
    generator, discriminator = curves_of(tmp_path)
    assert len(generator["lines"]) == 1 and len(discriminator["lines"]) == lines
    if activation == "relu":
        line = discriminator["lines"][-1]
        assert line == {
            "name": "log 2: no gradient", "points": [[5, math.log(2), None], [20, math.log(2), None]], "dashed": True
        }  # fmt: skip
    (tmp_path / "settings.yaml").write_text("network: [")
    assert len(curves_of(tmp_path)[1]["lines"]) == 2
