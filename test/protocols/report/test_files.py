import csv
import json
import re

import pytest
from PIL import Image

from fastreid.protocols import read_protocol
from fastreid.protocols.report import latex, markdown, summarize_runs, write_report

from ..files import score, write_protocol, write_result

DIFFERENCE = "MSMT17 is demo data: the persons are drawn by a program."


@pytest.fixture
def summary(tmp_path):
    protocol = read_protocol(write_protocol(tmp_path / "small.yml"))
    folders = []
    for seed in (0, 1):
        scores = [
            score("CUHK03", selection=selection, mean_ap=value + seed, rank_1=value)
            for selection, value in (("last", 30.04), ("target", 33.0))
        ]
        folders.append(
            write_result(
                tmp_path / "runs" / f"a{seed}",
                ["cuhkSYSU", "Market1501"],
                seed,
                scores,
                differences=[DIFFERENCE],
            )
        )
    return summarize_runs(protocol, folders)


def test_the_markdown_table_has_all_rows_and_its_label(summary):
    text = markdown(summary)
    assert "| method | published | source | CS+M->C3 | CS+M->MS | CS+MS->M | average |" in text
    assert "| old & first | ECCV 2020 | A, B | 30.0 / 20.5 |  | 50.0 / 70.5 | 40.0 / 45.5 |" in text
    assert "| ACL here, last epoch |  |  | 30.5 ± 0.7 / 30.0 ± 0.0 |" in text
    assert "| ACL here, best on target |  |  | 33.5 ± 0.7 / 33.0 ± 0.0 |" in text
    assert "**Our scores are not those of the protocol: there is 1 difference" in text
    assert f"- {DIFFERENCE}" in text
    assert "- A: a table." in text
    assert "1 test split(s) and 2 seed(s)" in text


def test_the_markdown_tables_have_as_many_cells_in_every_row(summary):
    for table in re.findall(r"(?:^\|.*\n)+", markdown(summary), flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_table_without_differences_says_so(summary):
    text = markdown(summary._replace(differences=[]))
    assert "are those of the protocol" in text
    assert "## Differences" not in text


def test_the_latex_table_escapes_what_latex_would_read(summary):
    lines = latex(summary).splitlines()
    rows = [line for line in lines if line.endswith("\\\\")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {5}
    assert rows[0].startswith("Method & Published & CS+M$\\to$C3 &")
    assert rows[1].startswith("old \\& first & ECCV 2020 & 30.0 / 20.5 &")
    assert "30.5 $\\pm$ 0.7 / 30.0 $\\pm$ 0.0" in rows[2]
    assert f"% {DIFFERENCE}" in lines


def test_five_files_hold_the_same_numbers(summary, tmp_path):
    written = write_report(summary, tmp_path)
    assert [path.name for path in written] == [
        f"table.{suffix}" for suffix in ("md", "tex", "csv", "json", "png")
    ]
    values = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert values["differences"] == [DIFFERENCE]
    of_json = values["rows"][1]["scores"]["CS+M->C3"]["mAP"]
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (row,) = [
        row
        for row in rows
        if (row["method"], row["route"], row["metric"])
        == ("ACL here, last epoch", "CS+M->C3", "mAP")
    ]
    assert float(row["mean"]) == of_json["mean"] == pytest.approx(30.54)
    assert float(row["sd_seeds"]) == of_json["sd_seeds"]
    assert row["sd_splits"] == ""
    assert [run["run"] for run in values["runs"]] == ["a0", "a1"]


def test_the_chart_is_a_picture(summary, tmp_path):
    write_report(summary, tmp_path)
    with Image.open(tmp_path / "table.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300


def test_a_table_is_written_again_over_the_last_one(summary, tmp_path):
    write_report(summary, tmp_path)
    write_report(summary._replace(differences=[]), tmp_path)
    assert DIFFERENCE not in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert not list(tmp_path.glob(".table*"))
