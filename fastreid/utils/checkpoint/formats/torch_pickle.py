"""Read a pickle without executing code of the file.

Python's unpickler imports and calls what a file names. This one interprets the opcodes itself: it
builds plain values and the stand-ins of `pth_objects`, and limits the memory that a file can use.
"""

from __future__ import annotations

import codecs
import pickle
import pickletools
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

from .pth_machine import COST, PLAIN_COST, Machine
from .pth_objects import Record
from .pth_tensors import Storage

_Step = Callable[[Machine, Any], Any]
_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)


class _BoundedFile:
    """A file that raises an error instead of allocating memory for more bytes than it has."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self._end = file.seek(0, 2)
        file.seek(start)

    def read(self, count: int) -> bytes:
        """Read `count` bytes."""
        if count > 8 and count > self._end - self._file.tell():
            raise EOFError(f"{count} more bytes should follow, but the file ends before")
        return self._file.read(count)

    def readline(self) -> bytes:
        """Read a line."""
        return self._file.readline()


def _read_string(file: Any) -> str:
    """Read a string of Python 2, which is the text form of its bytes."""
    escaped: Any = pickletools.read_stringnl(file, decode=False)
    text: Any = codecs.escape_decode(escaped)[0]
    return text.decode("latin1")


def _pushing(make: Callable[[], Any]) -> _Step:
    return lambda machine, _: machine.push(make())


def _tuple_of(count: int) -> _Step:
    return lambda machine, _: machine.push_tuple(count)


def _ignore(_machine: Machine, _argument: Any) -> None:
    """Do nothing: the protocol number and the lengths of frames are not needed."""


def _push_extension(machine: Machine, number: int) -> None:
    # A class by a number that the writing program registered with copyreg.
    machine.push(Record(f"a class of the number {number}"))


# Opcodes that create objects with memory of their own.
_COSTLY: dict[str, _Step] = {
    "MARK": Machine.mark,
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.memoize,
    "TUPLE": Machine.tuple_to_mark,
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "EMPTY_LIST": _pushing(list),
    "LIST": Machine.list_to_mark,
    "EMPTY_DICT": _pushing(dict),
    "DICT": Machine.dict_to_mark,
    "EMPTY_SET": _pushing(partial(Record, "builtins.set")),
    "FROZENSET": Machine.frozenset_to_mark,
    "GLOBAL": Machine.find,
    "STACK_GLOBAL": Machine.find_of_stack,
    "REDUCE": Machine.reduce,
    "NEWOBJ": Machine.reduce,
    "NEWOBJ_EX": Machine.reduce_with_names,
    "INST": Machine.inst,
    "OBJ": Machine.obj,
    "EXT1": _push_extension,
    "EXT2": _push_extension,
    "EXT4": _push_extension,
    "NEXT_BUFFER": _pushing(partial(Record, "data outside of the file")),
    "PERSID": Machine.refer_by_text,
    "BINPERSID": Machine.refer,
}
_CHEAP: dict[str, _Step] = {
    **{opcode.name: Machine.push for opcode in pickletools.opcodes if opcode.name in _VALUES},
    "PROTO": _ignore,
    "FRAME": _ignore,
    "READONLY_BUFFER": _ignore,
    "NONE": _pushing(lambda: None),
    "NEWTRUE": _pushing(lambda: True),
    "NEWFALSE": _pushing(lambda: False),
    "EMPTY_TUPLE": _pushing(tuple),
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "DUP": Machine.dup,
    "POP": Machine.pop,
    "POP_MARK": Machine.pop_to_mark,
    "APPEND": Machine.append,
    "APPENDS": Machine.append_to_mark,
    "SETITEM": Machine.set_item,
    "SETITEMS": Machine.set_to_mark,
    "ADDITEMS": Machine.add_to_mark,
    "BUILD": Machine.build,
}


def _reader_of(opcode: pickletools.OpcodeInfo) -> Callable[[Any], Any] | None:
    if opcode.arg is None:
        return None
    return _read_string if opcode.name == "STRING" else opcode.arg.reader


_TABLE = {
    opcode.code.encode("latin1"): (_reader_of(opcode), step, cost)
    for steps, cost in ((_CHEAP, PLAIN_COST), (_COSTLY, COST))
    for opcode in pickletools.opcodes
    for step in [steps.get(opcode.name)]
    if step is not None
}


def load_pickle(
    file: BinaryIO,
    storages: dict[str, Storage],
    *,
    read_nested: Callable[[bytes], Any] | None = None,
) -> Any:
    """Read one pickle; nothing that it names is imported or called.

    Args:
        file: a file, read from its current position to the end of the pickle.
        storages: a dict that is filled with the referenced storages, by key, without their data.
        read_nested: reads a PyTorch file inside the pickle; None turns such data into records.

    Returns:
        The object. Ordered dicts become dicts, tensors `TensorView`s, NumPy arrays `NumpyArray`s,
        and objects of unknown classes `Record`s.

    Raises:
        pickle.UnpicklingError: the pickle is damaged or needs too much memory. A damaged pickle can
            cause other errors too.
    """
    machine, source = Machine(storages, read_nested), _BoundedFile(file)
    while (code := source.read(1)) != pickle.STOP:
        if code not in _TABLE:
            raise pickle.UnpicklingError("it is not a pickle, or its end is missing")
        reader, step, cost = _TABLE[code]
        machine.step(cost)
        step(machine, reader(source) if reader else None)
    return machine.result()
