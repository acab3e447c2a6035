"""The command-line options of the running Python interpreter."""

from __future__ import annotations

import sys

# Attribute of `sys.flags` -> letter of the option, which is repeated as often as the flag counts.
_LETTERS = {
    "debug": "d",
    "optimize": "O",
    "dont_write_bytecode": "B",
    "no_site": "S",
    "no_user_site": "s",
    "ignore_environment": "E",
    "isolated": "I",
    "safe_path": "P",
    "verbose": "v",
    "bytes_warning": "b",
    "quiet": "q",
}


def interpreter_options() -> list[str]:
    """List the options that start another interpreter with the flags of this one."""
    # Older versions of Python lack some of the flags.
    counts = {letter: int(getattr(sys.flags, name, 0)) for name, letter in _LETTERS.items()}
    options = [f"-{letter * count}" for letter, count in counts.items() if count > 0]
    options += [f"-W{warning_filter}" for warning_filter in sys.warnoptions]
    # Python documents this attribute, in spite of its underscore.
    for name, value in sys._xoptions.items():
        options += ["-X", name if value is True else f"{name}={value}"]
    return options
