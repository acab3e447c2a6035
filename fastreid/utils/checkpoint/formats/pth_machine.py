"""The stack machine that interprets a pickle without importing or calling what the file names."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

from .pth_objects import Known, Record, find_global, key_of
from .pth_tensors import LatinText, NumpyArray, NumpyType, Storage, StorageType

# Limit of the memory for the objects of a pickle. Each opcode is charged one of two costs, which
# are at least what CPython needs for an object. Texts and bytes are limited by the file's size.
MOST_BYTES = 1 << 29
PLAIN_COST = 64
COST = 256
# Longer numbers do not occur in checkpoints.
_MOST_BITS = 4096
_PRINTED_REFERENCE = re.compile(
    r"\('storage', <class '(?P<module>[\w.]+)\.(?P<name>\w+)'>, '(?P<key>\w+)', '[\w:]*', \d+"
)
# The function that rebuilds the data of a tensor in a plain pickle.
_NESTED_DATA = "torch.storage._load_from_bytes"


class Machine:
    """The stack and the memo of a pickle; each method executes one opcode.

    Args:
        storages: a dict that is filled with the referenced storages, by key, without their data.
        read_nested: as in `load_pickle`.
    """

    def __init__(
        self, storages: dict[str, Storage], read_nested: Callable[[bytes], Any] | None = None
    ) -> None:
        self._storages = storages
        self._read_nested = read_nested
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._encoded: dict[int, LatinText] = {}
        self._left = MOST_BYTES
        self._count = 0

    def step(self, cost: int) -> None:
        """Count an opcode and charge its memory."""
        self._count += 1
        self.spend(cost)

    def result(self) -> Any:
        """Pop the final value."""
        return self._stack.pop()

    def spend(self, count: int) -> None:
        """Charge memory before it is allocated."""
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError(
                f"the objects besides its tensors take more than {MOST_BYTES >> 20} MB"
            )

    def push(self, value: Any) -> None:
        """Push a value."""
        is_large = type(value) is int and value.bit_length() > _MOST_BITS
        self._stack.append(Record("a large number") if is_large else value)

    def put(self, number: int) -> None:
        """Store the last value in the memo under a number."""
        if number >= self._count:
            raise pickle.UnpicklingError(f"object {number} among the first {self._count - 1}")
        self._memo[number] = self._stack[-1]

    def pop_to_mark(self, _: Any = None) -> list[Any]:
        """Pop everything above the last mark."""
        items, self._stack = self._stack, self._marked.pop()
        return items

    def mark(self, _: Any) -> None:
        """Push a mark."""
        self._marked.append(self._stack)
        self._stack = []

    def pop(self, _: Any) -> None:
        """Pop the last value, or the last mark."""
        if self._stack:
            self._stack.pop()
        else:
            self.pop_to_mark()

    def dup(self, _: Any) -> None:
        """Push the last value again."""
        self._stack.append(self._stack[-1])

    def memoize(self, _: Any) -> None:
        """Store the last value in the memo under the next number."""
        self._memo[len(self._memo)] = self._stack[-1]

    def get(self, argument: int) -> None:
        """Push a value of the memo."""
        self._stack.append(self._memo[argument])

    def list_to_mark(self, _: Any) -> None:
        """Make a list of the values above the last mark."""
        items = self.pop_to_mark()
        self._stack.append(items)

    def tuple_to_mark(self, _: Any) -> None:
        """Make a tuple of the values above the last mark."""
        items = self.pop_to_mark()
        self._stack.append(tuple(items))

    def push_tuple(self, count: int) -> None:
        """Make a tuple of the last values."""
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise pickle.UnpicklingError("a tuple of missing values")
        del self._stack[-count:]
        self._stack.append(items)

    def dict_to_mark(self, _: Any) -> None:
        """Make a dict of the keys and values above the last mark."""
        items = self.pop_to_mark()
        self._stack.append({})
        self._set_items_of(items)

    def frozenset_to_mark(self, _: Any) -> None:
        """Pop the values above the last mark and push a record in place of the frozenset."""
        self.pop_to_mark()
        self._stack.append(Record("builtins.frozenset"))

    def append(self, _: Any) -> None:
        """Append the last value to the list below it."""
        item = self._stack.pop()
        self._extend([item])

    def append_to_mark(self, _: Any) -> None:
        """Append the values above the last mark to the list below it."""
        items = self.pop_to_mark()
        self._extend(items)

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Record):
            raise pickle.UnpicklingError(f"items for a {type(target).__name__}")

    def add_to_mark(self, _: Any) -> None:
        """Drop the values above the last mark: sets are records without content."""
        self.pop_to_mark()
        if not isinstance(self._stack[-1], Record):
            raise pickle.UnpicklingError(f"items for a {type(self._stack[-1]).__name__}, no set")

    def set_item(self, _: Any) -> None:
        """Set one key of the dict below the last two values."""
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items_of([key, value])

    def set_to_mark(self, _: Any) -> None:
        """Set the keys and values above the last mark in the dict below it."""
        items = self.pop_to_mark()
        self._set_items_of(items)

    def _set_items_of(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, Record):
            target = target.items
        if not isinstance(target, dict) or len(items) % 2:
            raise pickle.UnpicklingError(f"keys for a {type(target).__name__}")
        self.spend(len(items) * PLAIN_COST)
        for key, value in zip(items[::2], items[1::2]):
            target[key_of(key)] = value

    def find(self, argument: str) -> None:
        """Push the stand-in of a class or function."""
        module, _, name = argument.partition(" ")
        self._stack.append(find_global(module, name))

    def find_of_stack(self, _: Any) -> None:
        """Push the stand-in of a class or function whose name is on the stack."""
        name, module = self._stack.pop(), self._stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise pickle.UnpicklingError("a class whose name is not a text")
        self.spend(len(name) + len(module))
        self._stack.append(find_global(module, name))

    def reduce(self, _: Any) -> None:
        """Call the function below the last value, which is the tuple of its arguments."""
        arguments, function = self._stack.pop(), self._stack.pop()
        self._call(function, arguments)

    def reduce_with_names(self, _: Any) -> None:
        """Call a function as `reduce` does; keyword arguments are dropped."""
        self._stack.pop()
        self.reduce(None)

    def inst(self, argument: str) -> None:
        """Call a class with the values above the last mark."""
        arguments = self.pop_to_mark()
        module, _, name = argument.partition(" ")
        self._call(find_global(module, name), tuple(arguments))

    def obj(self, _: Any) -> None:
        """Call the first value above the last mark with the others."""
        function, *arguments = self.pop_to_mark()
        self._call(function, tuple(arguments))

    def _call(self, function: Any, arguments: Any) -> None:
        """Push the result of a call; only stand-ins of this package are really called."""
        if isinstance(function, Known) and isinstance(arguments, tuple):
            sized = (part for part in arguments if isinstance(part, (list, tuple)))
            self.spend(sum(map(len, sized)) * COST)
            self._stack.append(self._once(function(*arguments)))
        elif isinstance(function, Record) and function.name == _NESTED_DATA:
            self._stack.append(self._nested(arguments))
        elif isinstance(function, (Record, StorageType)):
            self._stack.append(Record(function.name))
        else:
            raise pickle.UnpicklingError(f"a call of a {type(function).__name__}")

    def _once(self, made: Any) -> Any:
        """Share the `LatinText` of texts that are encoded more than once."""
        if isinstance(made, LatinText):
            return self._encoded.setdefault(id(made.text), made)
        return made

    def _nested(self, arguments: Any) -> Any:
        data = arguments[0] if isinstance(arguments, tuple) and len(arguments) == 1 else None
        if isinstance(data, LatinText):
            data = data.to_bytes()
        if self._read_nested is None or not isinstance(data, bytes):
            return Record(_NESTED_DATA)
        self.spend(len(data))
        found = self._read_nested(data)
        return found if isinstance(found, Storage) else Record(_NESTED_DATA)

    def build(self, _: Any) -> None:
        """Set the state of an object."""
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif isinstance(target, (NumpyType, NumpyArray)):
            target.set_state(state)

    def refer_by_text(self, argument: str) -> None:
        """Push the storage of a reference that protocol 0 has printed as a text."""
        match = _PRINTED_REFERENCE.match(argument)
        if match is None:
            self._stack.append(Record("an unknown reference"))
            return
        kind = find_global(match["module"], match["name"])
        self._stack.append(self._storage_of(("storage", kind, match["key"], "", 0)))

    def refer(self, _: Any) -> None:
        """Push the storage that the last value refers to."""
        self._stack.append(self._storage_of(self._stack.pop()))

    def _storage_of(self, pid: Any) -> Any:
        """Return the storage of a persistent id."""
        if not isinstance(pid, tuple) or len(pid) < 2:
            raise pickle.UnpicklingError("an unknown reference")
        if pid[0] == "module":
            # The older layout saves a class of a network together with its source code.
            return pid[1]
        if pid[0] != "storage" or len(pid) < 5 or not isinstance(pid[2], (str, int)):
            raise pickle.UnpicklingError("an unknown reference")
        kind, key = pid[1], str(pid[2])
        if not isinstance(kind, StorageType):
            return Record(f"data of the type {getattr(kind, 'name', '?')}")
        storage = self._storages.setdefault(key, Storage(kind))
        if storage.kind != kind:
            return Record("data of two types")
        is_part = len(pid) > 5 and pid[5] is not None
        return Record("a part of data, as PyTorch 0.1 wrote it") if is_part else storage
