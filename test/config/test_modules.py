import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastreid.config import (
    get_cfg,
    import_modules,
    imported_files,
    load_config,
    load_stored_config,
    make_importable,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_import_system(monkeypatch, tmp_path):
    """Nothing that a test imports is there for the next one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Write a file under the test's folder and give its path."""

    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def modules_of(*arguments):
    """The entries of MODULES in a configuration that is read."""
    return load_config(*arguments)["MODULES"]


# A module that notes in the file "log" of the working directory that it was run.
NOTES_ITS_RUN = "with open('log', 'a') as log:\n    log.write('run\\n')\n"


def lines_of(log):
    """How often the modules that note it were run."""
    return log.read_text().splitlines() if log.exists() else []


def test_a_file_is_relative_to_the_config_file_that_names_it(write):
    own = write("code/own.py", "")
    write("configs/base.yml", "MODULES: [../code/own.py]\n")
    config = write("configs/deep/a.yml", "_BASE_: ../base.yml\n")
    assert modules_of(config) == [str(own)]
    assert imported_files() == {"own": str(own)}
    assert sys.modules["own"].__file__ == str(own)


def test_on_the_command_line_it_is_relative_to_the_working_directory(write, tmp_path, monkeypatch):
    own = write("code/own.py", "")
    assert modules_of(None, ["MODULES", "['code/own.py']"]) == [str(own)]
    assert modules_of("", ["MODULES", "code/own.py"]) == [str(own)]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert modules_of(None, ["MODULES", "~/code/own.py"]) == [str(own)]
    assert modules_of(None, ["MODULES", ""]) == []


@pytest.mark.parametrize("name", ["a b.py", "a=b.py", "a,b.py", "it's.py", "-a.py", "[a].py"])
def test_any_file_name_can_be_given(write, name):
    own = write(f"code/{name}", "value = 7\n")
    config = write("a.yml", f'MODULES: ["code/{name}"]\n')
    load_config(config)
    (module,) = [sys.modules[key] for key in imported_files()]
    assert (module.value, module.__file__) == (7, str(own))


def test_an_importable_name_is_found_in_the_working_directory_and_stays_a_name(write):
    write("mine/__init__.py", "")
    write("mine/reid.py", "value = 7\n")
    cfg = load_config(write("elsewhere/a.yml", "MODULES: [mine.reid]\n"))
    assert cfg.MODULES == ["mine.reid"]
    assert sys.modules["mine.reid"].value == 7
    assert imported_files() == {}


def test_a_file_imports_what_lies_beside_it(write):
    write("code/beside.py", "value = 7\n")
    own = write("code/own.py", "from beside import value\n")
    (module,) = import_modules([str(own)])
    assert module.value == 7


def test_a_file_is_imported_once_however_it_is_named(write, tmp_path):
    own = write("own.py", NOTES_ITS_RUN)
    (tmp_path / "link.py").symlink_to(own)
    other = write("other.py", "import own\n")
    words = str([str(own), "own.py", "link.py", "own", str(other)])
    load_config(None, ["MODULES", words])
    load_config(None, ["MODULES", words])
    assert lines_of(tmp_path / "log") == ["run"]


def test_a_file_whose_name_means_something_else_gets_another_name(write):
    first, second = write("a/random.py", "value = 1\n"), write("b/random.py", "value = 2\n")
    modules = import_modules([str(first), str(second)])
    assert [module.value for module in modules] == [1, 2]
    assert not hasattr(sys.modules["random"], "value")
    assert imported_files() == {module.__name__: module.__file__ for module in modules}


def test_a_file_of_the_command_line_takes_the_place_of_the_config_files(write):
    write("gone.yml", "MODULES: [gone.py]\n")
    own = write("own.py", "")
    assert modules_of("gone.yml", ["MODULES", "own.py"]) == [str(own)]


def test_our_own_config_file_names_files_absolutely(write, tmp_path):
    own = write("code/own.py", "")
    cfg = load_config(None, ["MODULES", "code/own.py"])
    dumped = write("logs/config.yaml", cfg.dump())
    assert modules_of(dumped) == [str(own)]


def test_what_was_imported_is_logged_with_its_file(write, caplog):
    own = write("own.py", "")
    write("mine.py", "")
    with caplog.at_level(logging.INFO):
        load_config(None, ["MODULES", "['own.py', 'mine']"])
    assert [record.getMessage() for record in caplog.records] == [
        f"MODULES: imported own ({own})",
        f"MODULES: imported mine ({own.parent / 'mine.py'})",
    ]


def test_a_missing_file_is_named_with_what_it_is_relative_to(write, tmp_path):
    config = write("a.yml", "MODULES: [gone.py]\n")
    with pytest.raises(FileNotFoundError, match=rf"names {tmp_path}/gone\.py, which does not exi"):
        load_config(config)
    (tmp_path / "folder").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"folder, which is not a \.py file.*importable name"
    ):
        load_config(None, ["MODULES", "./folder"])


def test_a_missing_module_is_named(write):
    with pytest.raises(ValueError, match=r"names the module mine\.reid, but there is no module"):
        load_config(None, ["MODULES", "mine.reid"])
    write("mine/__init__.py", "")
    with pytest.raises(ValueError, match=r"there is no module 'mine\.reid' among the"):
        load_config(None, ["MODULES", "mine.reid"])


@pytest.mark.parametrize(
    ("text", "cause", "message"),
    [
        ("x = 1\nimport not_there\n", ModuleNotFoundError, r"No module named 'not_there' \({}, 2"),
        ("x = 1\nif x\n", SyntaxError, r"SyntaxError: .* \({}, line 2\)"),
        (
            "def f():\n    return 1 / 0\nf()\n",
            ZeroDivisionError,
            r"division by zero \({}, line 2\)",
        ),
        ("{}['lost']\n", KeyError, r"KeyError: lost \({}, line 1\)"),
        ("import sys\nsys.exit(3)\n", SystemExit, r"SystemExit: 3 \({}, line 2\)"),
        ("import json\njson.loads('x')\n", ValueError, r"Expecting value.* \({}, line 2\)"),
        (
            "from .bases import x\n",
            ImportError,
            "not part of a package: use absolute imports",
        ),
        ("from beside import x\n", ZeroDivisionError, r"\(.*beside\.py, line 1\)"),
    ],
)
def test_what_fails_to_import_is_named_with_its_line_and_its_cause(write, text, cause, message):
    write("beside.py", "1 / 0\n")
    own = write("own.py", text)
    place = message.replace("{}, 2", "{}, line 2").replace("{}", str(own))
    with pytest.raises(
        ValueError, match=rf"names {own}, which cannot be imported.*{place}"
    ) as info:
        import_modules([str(own)])
    assert isinstance(info.value.__cause__, cause)
    assert "own" not in sys.modules


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("3", TypeError, "must be a list of .py files and importable names"),
        ("[3]", TypeError, r"must be a list of .py files .*\['my_code.py'\], but is \[3\]"),
        ("{a: 1}", TypeError, "must be a list of .py files"),
        ("[a b]", ValueError, "names 'a b', which is neither the path of a .py file nor an"),
        ("['']", ValueError, "names '', which is neither"),
        ("['nobody.']", ValueError, "names 'nobody.', which is neither"),
    ],
)
def test_an_entry_that_can_name_nothing_is_refused(write, value, error, message):
    with pytest.raises(error, match=message):
        load_config(write("a.yml", f"MODULES: {value}\n"))


def test_a_list_that_python_cannot_read_is_refused():
    with pytest.raises(TypeError, match=r"command line: MODULES must be .*, but is '\[my.own\]'"):
        load_config(None, ["MODULES", "[my.own]"])


def test_modules_of_a_stored_config_are_not_imported(write, tmp_path, caplog):
    own = write("own.py", NOTES_ITS_RUN)
    cfg = get_cfg()
    cfg.merge_from_list(["MODULES", "own.py", "SEED", "5"])
    found = load_stored_config(cfg.dump(), ["MODE", "pynative"], source="feats.npz")
    assert (found.SEED, found.MODE, found.MODULES) == (5, "pynative", [])
    assert lines_of(tmp_path / "log") == []
    assert f"""add MODULES "['{own}']" to --opts""" in caplog.text
    caplog.clear()
    found = load_stored_config(cfg.dump(), ["MODULES", "own.py"], source="feats.npz")
    assert (found.MODULES, lines_of(tmp_path / "log")) == ([str(own)], ["run"])
    assert "are not imported" not in caplog.text


def test_a_stored_config_that_is_damaged_is_named():
    with pytest.raises(ValueError, match="feats.npz is not plain YAML"):
        load_stored_config("SEED: [", source="feats.npz")
    with pytest.raises(KeyError, match="feats.npz: SEEED is not a known key"):
        load_stored_config("SEEED: 1", source="feats.npz")


def test_another_process_imports_files_under_the_same_names_when_they_are_needed(write):
    own = write("own.py", "value = 7\n")
    make_importable({"own_123": str(own)})
    assert "own_123" not in sys.modules
    import own_123

    assert own_123.value == 7


def test_reading_a_config_does_not_load_mindspore(tmp_path):
    code = (
        "import sys; from fastreid.config import load_config; load_config('', ['SEED', '1']);"
        "print('mindspore' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert process.stdout == "False\n"
