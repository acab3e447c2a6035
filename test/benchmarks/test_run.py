"""benchmarks/run.py with small programs in place of the benchmarks."""

import importlib
import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.results import Result, read_results, relative, table, write_results
from benchmarks.run import Benchmark, main

PROGRAM = """
import json, sys
words = sys.argv[1:]
print("its own output")
if "--fail" in words:
    sys.exit(3)
found = {"name": " ".join(words[:-2]) or "nothing", "unit": "s", "ours": 2.0, "other": 4.0}
with open(words[-1], "w") as file:
    json.dump({"machine": {}, "results": [found]}, file)
"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Three programs: one takes fast-reid, one the original, one fails when it is not quick."""
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(
        run,
        "BENCHMARKS",
        {
            "first": Benchmark("program.py", "--long 1", "--short", ("--fastreid",)),
            "second": Benchmark("program.py", "", "", ("--original",)),
            "third": Benchmark("program.py", "--fail", "--well"),
        },
    )


def test_all_are_run_and_joined_in_one_table_and_file(small, tmp_path, capfd):
    file = tmp_path / "new" / "all.json"
    words = ["--quick", "--fastreid", str(tmp_path), "--json", str(file)]
    assert main(words) == 0
    machine, results = read_results(file)
    assert machine["cores"]
    assert [(one.name, one.ratio) for one in results] == [
        (f"first: --short --fastreid {tmp_path}", 0.5),
        ("second: nothing", 0.5),
        ("third: --well", 0.5),
    ]
    out, err = capfd.readouterr()
    assert "| second: nothing" in out
    assert "processor: " in out
    assert "BLAS of numpy: " in out
    assert err.count("its own output") == 3


def test_one_that_fails_is_named_and_the_others_count(small, tmp_path, capfd):
    assert main(["--original", str(tmp_path), "--json", str(tmp_path / "all.json")]) == 1
    _, results = read_results(tmp_path / "all.json")
    assert [one.name for one in results] == ["first: --long 1", f"second: --original {tmp_path}"]
    assert json.loads((tmp_path / "all.json").read_text())["failed"] == ["third"]
    assert "third failed with exit status 3; its error is above." in capfd.readouterr().err


def test_some_can_be_chosen(small, tmp_path):
    assert main(["--only", "second", "--json", str(tmp_path / "all.json")]) == 0
    assert [one.name for one in read_results(tmp_path / "all.json")[1]] == ["second: nothing"]


def test_two_files_are_compared(tmp_path, capsys, monkeypatch):
    files = tmp_path / "a.json", tmp_path / "b.json"
    write_results(
        files[0], [Result("x", "s", 4.0), Result("v", "images/s", 10.0), Result("gone", "s", 1.0)]
    )
    monkeypatch.setattr("fastreid.utils.machine.num_cores", lambda: 77)
    write_results(files[1], [Result("x", "s", 2.0), Result("v", "images/s", 20.0)])
    assert main(["--compare", *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0] == ["measurement", "unit", "a.json", "b.json", "ratio"]
    assert cells[2:5] == [
        ["x", "s", "4", "2", "0.5"],
        ["v", "images/s", "10", "20", "0.5"],
        ["gone", "s", "1", "", ""],
    ]
    assert any(line.startswith("cores: ") and "-> 77 of" in line for line in lines[5:])


@pytest.mark.parametrize("text", [None, "nothing", "[]", '{"results": [{"name": "x"}]}'])
def test_another_file_is_refused(tmp_path, text):
    file = tmp_path / "x.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SystemExit, match=r"x\.json is no file of --json of a benchmark"):
        main(["--compare", str(file), str(file)])


def test_ratios_below_one_are_better_in_every_unit():
    assert relative("s", 1, 2) == relative("GiB", 1, 2) == relative("images/s", 2, 1) == 0.5
    assert Result("x", "s", 1).ratio is None
    assert table([Result("x", "s", 1, 4, "p")]).splitlines()[2].split("|")[5].strip() == "0.25"


@pytest.mark.parametrize("quick", [[], ["--quick"]])
@pytest.mark.parametrize("name", list(run.BENCHMARKS))
def test_every_benchmark_accepts_the_arguments_it_is_run_with(name, quick, tmp_path, capsys):
    benchmark = run.BENCHMARKS[name]
    args = run.parse_args([*quick, "--fastreid", str(tmp_path), "--original", str(tmp_path)])
    words = run.command_of(benchmark, args, tmp_path / "figures.json")[2:]
    assert all(option in words for option in benchmark.beside)
    program = importlib.import_module(f"benchmarks.{Path(benchmark.script).stem}")
    # The arguments before --help are read, and nothing is run.
    with pytest.raises(SystemExit) as ended:
        program.main([*words, "--help"])
    assert ended.value.code == 0, capsys.readouterr().err


def test_every_benchmark_is_in_the_list():
    scripts = {
        path.name
        for path in run.FOLDER.glob("*.py")
        if "parse_args" in path.read_text(encoding="utf-8")
    }
    assert {one.script for one in run.BENCHMARKS.values()} == scripts - {"run.py"}
