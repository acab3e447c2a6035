"""Ranks run under the interpreter options of the program that starts them."""

import json
import subprocess
import sys

import pytest

from fastreid.engine.launch import interpreter

SCRIPT = """
import json, runpy, sys
options = runpy.run_path(sys.argv[1])["interpreter_options"]()
flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name.islower()}
flags = {name: value for name, value in flags.items() if isinstance(value, (bool, int))}
print(json.dumps([options, flags, sys.warnoptions, sys._xoptions]))
"""


def run(options):
    words = [sys.executable, *options, "-c", SCRIPT, interpreter.__file__]
    return json.loads(subprocess.run(words, capture_output=True, check=True).stdout)


@pytest.mark.parametrize(
    "given",
    [
        [
            "-OO",
            "-B",
            "-q",
            "-Werror::UserWarning",
            "-Wignore",
            "-X",
            "utf8=0",
            "-X",
            "faulthandler",
        ],
        ["-E", "-s", "-bb"],
        ["-I"],
    ],
)
def test_the_listed_options_start_an_interpreter_with_the_same_flags(given):
    options, flags, filters, implementation_options = run(given)
    assert set(given) <= set(options)
    again = run(options)
    assert again[1] == flags
    assert set(again[2]) == set(filters)
    assert again[3] == implementation_options


def test_only_options_that_are_in_effect_are_listed():
    assert run(["-E"])[0] == ["-E"]
