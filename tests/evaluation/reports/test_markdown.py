"""The text of small tables, letter by letter."""

from __future__ import annotations

import pytest

from made_runs import made_run, made_vos
from masklet.evaluation.reports.markdown import markdown_report, markdown_table, setup
from masklet.evaluation.reports.tables import ABSENT, Cell, Row, Table, sequence_table


def test_a_table():
    rows = (
        Row((Cell("ours"), Cell("mask"), Cell("50.0", 0.5, "±2.5"), ABSENT)),
        Row((Cell("SAM 2", remark="paper, table 4"), Cell("mask"), Cell("77.6", 0.776), ABSENT), published=True),
    )
    table = Table("Scores", ("tracker", "prompt", "J&F", "J"), rows, "Percent.", heads=2)
    assert markdown_table(table) == (
        "## Scores\n\n"
        "| tracker | prompt | J&F | J |\n"
        "|---|---|---:|---:|\n"
        "| ours | mask | 50.0 ±2.5 | – |\n"
        "| *SAM 2* (published, not measured; paper, table 4) | *mask* | *77.6* | – |\n"
        "\n"
        "Percent."
    )


def test_a_report():
    record = made_run(interactive={}, images={}, headlines={}, speed={}, vos={"mask": made_vos([0.5], [0.5, 0.5])})
    lines = markdown_report([record]).splitlines()
    assert lines[:7] == [
        "# ours on dev",
        "",
        "- hardware: two cores",
        "- data: data/dev",
        "- image\\_size: 384",
        "- tags: \\['x', None, 1.5\\]",
        "",
    ]
    assert "| ours | objects | 55.0 ±0.0 | 50.0 ±0.0 | 60.0 ±0.0 |" in lines
    assert "| *SAM 2* (published, not measured; paper, table 4) | *mean of 17 video sets* | *77.6* | – | – |" in lines
    assert lines[-8:] == [
        "## Sequences",
        "",
        "| sequence | objects | mask J&F | mask J | mask F |",
        "|---|---:|---:|---:|---:|",
        "| a | 1 | 55.0 | 50.0 | 60.0 |",
        "| b | 2 | 55.0 | 50.0 | 60.0 |",
        "",
        "Percent, means over the objects of each sequence.",
    ]


def test_a_setting_is_said_once():
    said = setup(made_run(settings={"data": "data/dev", "rule": "plain"}))
    assert said == [("hardware", "two cores"), ("data", "data/dev"), ("rule", "plain")]


def test_a_second_run_adds_a_comparison():
    text = markdown_report([made_run(shift=0.1)], made_run("before"))
    assert "| quantity | ours (first) | before (second) | difference | p |" in text
    assert "| VOS from mask, J&F | 65.0 | 55.0 | +10.0 ±0.0 | 0.500 |" in text


@pytest.mark.parametrize("name", ["a|b", "a\nb", "[x](y)", "<img src=x>", "*a_b*", "`c`", "\\|"])
def test_no_name_leaves_its_cell(name):
    score = made_vos([0.5])
    named = score.__class__((score.sequences[0].__class__(name, score.sequences[0].objects),))
    text = markdown_table(sequence_table([made_run(vos={"mask": named})]))
    (row,) = [line for line in text.splitlines() if line.endswith("| 55.0 | 50.0 | 60.0 |")]
    cell = row.removeprefix("| ").removesuffix(" | 1 | 55.0 | 50.0 | 60.0 |")
    plain = cell.replace("\\\\", "")
    assert all(plain[i - 1] == "\\" for i, letter in enumerate(plain) if letter in "|[]<>*_`")
    assert cell.replace("\\", "") == name.replace("\n", " ").replace("\\", "")
