"""User code: import the files and modules that the key MODULES names.

What they register (data sets, backbones, heads, losses, samplers, transforms) can then be selected
in the configuration.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import os
import re
import sys
import zlib
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from fastreid.utils.messages.errors import location_of, message_of

logger = logging.getLogger(__name__)

MODULES_KEY = "MODULES"


def locate_modules(value: Any, folder: Path, source: str) -> list[str]:
    """Make the file paths of a MODULES entry absolute; importable names stay unchanged.

    Args:
        value: a list of strings, one string, or (on the command line) a list as a Python literal.
        folder: base folder of relative paths.
        source: origin of the entry, for messages.

    Returns:
        Absolute paths and importable names.

    Raises:
        TypeError: the value is not a list of strings.
        ValueError: a string is neither the path of a .py file nor an importable name.
    """
    if isinstance(value, str):
        value = _entries_of_text(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        raise TypeError(
            f"{source}: {MODULES_KEY} must be a list of .py files and importable names, such as "
            f"['my_code.py'], but is {value!r}."
        )
    return [_locate(entry, folder, source) for entry in value]


def _entries_of_text(text: str) -> Any:
    if not text.startswith(("[", "(")):
        return [text] if text else []
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _locate(entry: str, folder: Path, source: str) -> str:
    if _is_file(entry):
        try:
            return str((folder / Path(entry).expanduser()).resolve())
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(f"{source}: {MODULES_KEY} cannot name {entry!r}: {error}.") from error
    if not all(part.isidentifier() for part in entry.split(".")):
        raise ValueError(
            f"{source}: {MODULES_KEY} names {entry!r}, which is neither the path of a .py file nor "
            "an importable name such as my_package.my_module."
        )
    return entry


def _is_file(entry: str) -> bool:
    return entry.endswith(".py") or os.sep in entry or entry.startswith("~")


def import_modules(entries: Sequence[str]) -> list[ModuleType]:
    """Import modules in order, each once, and log their files.

    The folder of a file is appended to Python's search path, and for importable names the working
    directory is, so that user code can import modules beside it.

    Args:
        entries: paths and importable names, as in ``cfg.MODULES``.

    Returns:
        The modules.

    Raises:
        FileNotFoundError: a file does not exist.
        ValueError: a module is not found, or its import fails. The message has file, line and
            reason; the cause is the original error.
    """
    modules = []
    for entry in entries:
        module = _import_file(Path(entry)) if _is_file(entry) else _import_name(entry)
        logger.info(
            "%s: imported %s (%s)", MODULES_KEY, module.__name__, getattr(module, "__file__", None)
        )
        modules.append(module)
    return modules


def imported_files() -> dict[str, str]:
    """Return the modules that were imported from files, name to path, for data workers."""
    finder = _finder()
    return {} if finder is None else dict(finder.files)


def make_importable(files: Mapping[str, str]) -> None:
    """Make modules importable by name from given files.

    Args:
        files: name to path, as `imported_files` returns it in the main process.
    """
    before = _finder()
    finder = _FileFinder({**imported_files(), **files})
    # sys.meta_path is the only place that keeps the files.
    sys.meta_path[:] = [finder, *(each for each in sys.meta_path if each is not before)]


class _FileFinder(MetaPathFinder):
    """Import hook that finds modules in a table of files.

    Args:
        files: name to path.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """Find a module (called by Python's import system)."""
        if fullname not in self.files:
            return None
        return importlib.util.spec_from_file_location(fullname, self.files[fullname])


def _finder() -> _FileFinder | None:
    """Return the installed finder; None before the first file."""
    return next((each for each in sys.meta_path if isinstance(each, _FileFinder)), None)


def _import_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve()
    if not path.is_file() or path.suffix != ".py":
        what = "is not a .py file" if path.exists() else "does not exist"
        raise FileNotFoundError(
            f"{MODULES_KEY} names {path}, which {what}. Paths are relative to the config file that "
            "names them, or on the command line to the working directory. Give the importable name "
            "of a package, not its path."
        )
    already = _module_of_file(path)
    if already is not None:
        return already
    _add_to_search_path(path.parent)
    name = _name_for(path)
    make_importable({name: str(path)})
    return _import(name, str(path), path.parent)


def _import_name(name: str) -> ModuleType:
    _add_to_search_path(Path.cwd())
    top = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:
        # It is already imported and has no module spec.
        spec = None
    folder = Path(spec.origin).parent if spec is not None and spec.origin else Path.cwd()
    return _import(name, f"the module {name}", folder)


def _import(name: str, shown: str, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{MODULES_KEY} names {shown}, but there is no module {error.name!r} among the "
                f"installed packages, in PYTHONPATH or in the working directory {Path.cwd()}."
            ) from error
        raise ValueError(
            f"{MODULES_KEY} names {shown}, which cannot be imported: {type(error).__name__}: "
            f"{_message(error)} ({location_of(error, folder, excluding=__file__)})"
        ) from error


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg}"
    if isinstance(error, ImportError) and "relative import" in str(error):
        return (
            f"{error}; a file is not part of a package: use absolute imports, `from fastreid...` "
            "or `import ...`"
        )
    return message_of(error)


def _module_of_file(path: Path) -> ModuleType | None:
    for module in list(sys.modules.values()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and Path(file).name == path.name and Path(file).resolve() == path:
            return module
    return None


def _name_for(path: Path) -> str:
    """Name a file's module by its stem, with a check sum added where another module has it."""
    name = path.stem
    if name.isidentifier() and name not in sys.modules:
        spec = importlib.util.find_spec(name)
        if spec is None or (spec.origin and Path(spec.origin).resolve() == path):
            return name
    return f"{re.sub(r'[^0-9A-Za-z_]', '_', name)}_{zlib.crc32(os.fsencode(path)):08x}"


def _add_to_search_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
