"""The objects that a solution and its tests both have, so that either sees what the other does to them.

As if they shared a process: an object that crosses gets a number, and while both sides hold it, it is that object
whenever it crosses again. Each message carries what its sender changed since the last one. So `f(v) is v` is true where
it is in one process, a list that the solution keeps is the list that a test appends to, and two nodes that share
a third still share it.

An object that only one side still holds is forgotten: how many hold it, the interpreter counts. What is left to compare
before each message are the objects that both could change.
"""

from __future__ import annotations

import collections
import sys
from collections.abc import Callable
from typing import Any

from .arrays import Array, empty_array, fill_array, is_plain_array, write_array
from .classes import by_name, make_error, parts_of, written
from .shapes import Shape
from .values import (
    ATOMS,
    CONTAINERS,
    KINDS,
    OF_PYTHON,
    READERS,
    SMALL,
    UnreadableValue,
    base_of,
    is_enum,
)

_MOST_PASSES = 8  # over the table, forwards and backwards, until nothing more is let go
_count = sys.getrefcount
_TABLE: dict[int, Any] = {0: []}
_FREE = _count(_TABLE[0])  # what is counted for an object that a table alone holds


class Heap:
    """The table of one side, which writes its values and reads the other side's.

    Args:
        keep: writes an object that stays on this side.
        find: returns what stands here for an object that stays on one side; given what was written.
        first: 0 for one side and 1 for the other: each gives every second number.

    Attributes:
        classes: those that both sides have, by name; `names` has their names.
        imports_numpy: import NumPy for the first array that comes; otherwise only arrays that come later than it are arrays.
        share: asked about a class that isn't among them; may add it and say yes.
        stays: says if an object of a Python class was handed over as one that stays.
        imported: returns a module, or what it has under a name; only on the solution's side.
        define: makes a class that only the other side has the code of.
        definitions: of such classes here, to be sent.
    """

    def __init__(self, keep: Any, find: Any, first: int) -> None:
        self.classes: dict[str, Any] = {}
        self.imports_numpy = False
        self.share: Callable[[type], bool] = lambda kind: False
        self.stays: Callable[[Any], bool] = lambda value: False
        self.imported: Callable[[str, str], Any] = _not_imported
        self.define: Callable[[Any], None] = lambda definition: None
        self.definitions: list[Any] = []
        self._keep = keep
        self._find = find
        self._next = first
        self._theirs = 1 - first
        self._objects: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # by id
        self._kinds: dict[int, str] = {}
        self._known: dict[int, Any] = {}  # what the other side knows of an object that can change
        self._gone: list[int] = []
        self.names: dict[type, str] = {}
        self._bases: dict[type, Any] = {}  # looking a type up takes longer than using it
        self._tuples: dict[tuple[str, ...], Any] = {}
        self._shapes: dict[type, Shape] = {}
        # Of the message that is being written:
        self._new: dict[int, None] = {}  # in order
        self._about: dict[str, Any] = {}
        self._before: dict[int, Any] = {}

    def add_class(self, name: str, kind: type) -> None:
        """Note a class that both sides have. A later one of that name is made here; the earlier is still known."""
        self.classes[name] = kind
        self.names[kind] = name
        self._bases.clear()

    # ---------------------------------------------------------------- writing

    def write(self, values: list[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return values as JSON, and what a message has to say about objects besides."""
        self._new, self._before, self._about = {}, {}, {}
        inlines = [self.inline(value) for value in values]
        if not (self._objects or self._gone or self.definitions):
            return inlines, self._about
        table = self._table()
        # Not before: what was done to an object that is let go here is still to be seen by who holds it there.
        self._let_go()
        about: dict[str, Any] = {"heap": table} if table else {}
        if self._gone:
            about["gone"], self._gone = self._gone, []
        if self.definitions:
            about["classes"], self.definitions = self.definitions, []
        self._about = about
        return inlines, about

    def take_back(self) -> None:
        """Forget what the last `write` noted: it wasn't sent."""
        for number in self._new:
            self._drop(number)
        self._gone += self._about.get("gone", ())
        self.definitions += self._about.get("classes", ())
        self._known.update(
            {n: content for n, content in self._before.items() if n in self._objects}
        )

    def inline(self, value: Any) -> Any:
        """Write a value where it is used."""
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if -SMALL < value < SMALL else ["int", hex(value)]
        number = self._numbers.get(id(value))
        if number is not None:
            return [number]
        if kind.__flags__ & OF_PYTHON and self.stays(value):
            return self._keep(value)
        if kind not in self._bases:
            self._bases[kind] = self._base(kind)
        form, base = self._bases[kind]
        if form == "atom":
            atom = ATOMS[base](value)
            return self._keep(value) if atom is None else atom
        if form == "member":
            return ["member", self.names[kind], value._name_, self.inline(value._value_)]
        if form == "number":  # NumPy's
            return self.inline(value.tolist())
        if form == "array":
            base = "numpy" if is_plain_array(value) else ""
            form = "container" if base else "stays"
        if form == "class":
            named = None if value in self.names else written(value)
            if value in self.names or (named is None and self.share(value)):
                return ["shared", self.names[value]]
            return named or self._keep(value)
        if form == "error":
            return ["error", *map(self.inline, parts_of(value))]
        if form == "stays":
            return self._keep(value)
        if (base == "tuple" or base == "frozenset") and not len(value):
            return [base]  # there is only one
        return [self._number(value, base)]

    def _base(self, kind: type) -> tuple[str, Any]:
        """Say how values of a type are written."""
        if issubclass(kind, type):
            return "class", ""
        if issubclass(kind, BaseException):
            return "error", ""
        if kind in self.names or self.share(kind):
            return ("member", "") if is_enum(kind) else ("container", "object")
        if kind is Array:
            return "container", "numpy"
        base = base_of(kind)
        if base in CONTAINERS:
            name = CONTAINERS[base]
            fields = getattr(kind, "_fields", None)
            return "container", "named" if name == "tuple" and isinstance(fields, tuple) else name
        if base is not None:
            return "atom", base
        if kind.__module__.partition(".")[0] == "numpy" and hasattr(kind, "tolist"):
            is_array = hasattr(kind, "shape") and kind.__name__ == "ndarray"
            return ("array", "") if is_array else ("number", "")
        return "stays", ""

    def _number(self, value: Any, kind: str) -> int:
        number = self._next
        self._next += 2
        self._enter(number, value, kind)
        self._new[number] = None
        return number

    def _enter(self, number: int, value: Any, kind: str) -> None:
        self._objects[number] = value
        self._numbers[id(value)] = number
        self._kinds[number] = kind

    def _drop(self, number: int) -> None:
        value = self._objects.pop(number, None)
        if self._numbers.get(id(value)) == number:
            del self._numbers[id(value)]
        self._kinds.pop(number, None)
        self._known.pop(number, None)

    def _let_go(self) -> None:
        """Forget objects that nothing on this side holds any more."""
        numbers = [number for number in self._objects if number not in self._new]
        for _ in range(_MOST_PASSES):
            kept = []
            for number in numbers:
                if _count(self._objects[number]) <= _FREE:
                    self._drop(number)
                    self._gone.append(number)
                else:
                    kept.append(number)
            if len(kept) == len(numbers):
                break
            numbers = kept[::-1]  # a chain is let go from either end in one pass

    def _table(self) -> list[Any]:
        """Write the objects that are new or changed, each after those that it's made of."""
        table: list[Any] = []
        for number in list(self._known):
            content = self._write_content(number)
            if not _same(content, self._known[number]):
                self._before[number] = self._known[number]
                self._known[number] = content
                table.append([number, self._kinds[number], content])
        # Each after its parts, by a stack of its own: they may be nested deeper than calls can be. A part that is
        # on the stack below, in a cycle, is made before it's filled.
        written: dict[int, Any] = {}
        todo = list(self._new)[::-1]
        while todo:
            number = todo.pop()
            if number < 0:
                number = ~number
                content = written[number]
                if self._is_mutable(number):
                    self._known[number] = content
                table.append([number, self._kinds[number], content])
            elif number not in written:
                written[number] = content = self._write_content(number)
                todo.append(~number)
                todo += [
                    part for part in _numbers(content) if part in self._new and part not in written
                ]
        return table

    def _is_mutable(self, number: int) -> bool:
        kind = self._kinds[number]
        if kind == "object":
            return self._shape(type(self._objects[number])).is_mutable
        return kind == "numpy" or (kind != "named" and KINDS[kind].make is not None)

    def _write_content(self, number: int) -> Any:
        value, kind = self._objects[number], self._kinds[number]
        if kind == "object":
            cls = type(value)
            return [self.names[cls], *self._shape(cls).write(value, self.inline)]
        if kind == "named":
            parts = [self.inline(part) for part in tuple.__iter__(value)]
            return [type(value).__name__, [str(name) for name in type(value)._fields], *parts]
        if kind == "numpy":
            return write_array(value, self.inline)
        return KINDS[kind].write(value, self.inline)

    def _shape(self, kind: Any) -> Shape:
        shape = self._shapes.get(kind)
        if shape is None:
            shape = self._shapes[kind] = Shape(kind)
        return shape

    # ---------------------------------------------------------------- reading

    def read(self, message: dict[str, Any]) -> None:
        """Take in what a message says about objects. Raises `UnreadableValue`."""
        if not ("heap" in message or "gone" in message or "classes" in message):
            return
        try:
            for definition in message.get("classes", ()):
                self.define(definition)
            self._fill(message.get("heap", ()))
            for number in message.get("gone", ()):
                self._drop(number)
        except UnreadableValue:
            raise
        except Exception as error:
            raise UnreadableValue("no object: %s" % error) from None

    def value(self, data: Any) -> Any:
        """Return the value that was written. Raises `UnreadableValue`."""
        if data is None or isinstance(data, (bool, int, float, str)):
            return data
        try:
            if len(data) == 1 and type(data[0]) is int:
                return self._objects[data[0]]
            tag, *parts = data
            if tag in ("mine", "yours"):
                return self._find(tag, *parts)
            if tag == "member":
                return self._member(*parts)
            if tag == "shared":
                return self.classes[parts[0]]
            if tag == "class":
                return by_name(*parts)
            if tag == "import":
                return self.imported(*parts)
            if tag == "error":
                return make_error(*map(self.value, parts))
            return READERS[tag](
                *[self.value(part) if type(part) is list else part for part in parts]
            )
        except UnreadableValue:
            raise
        except Exception as error:
            raise UnreadableValue("no value: %s" % error) from None

    def _member(self, name: str, member: Any, value: Any) -> Any:
        kind = self.classes[name]
        if not is_enum(kind):
            raise UnreadableValue("no enum")
        if member in kind.__members__:
            return kind.__members__[member]
        return kind(self.value(value))  # of several flags

    def _fill(self, table: list[Any]) -> None:
        """Make the new objects of a table, and give them and the others their content."""
        new = set()
        for number, kind, content in table:
            if number not in self._objects:
                if type(number) is not int or number < 0 or number & 1 != self._theirs:
                    raise UnreadableValue("no number")
                new.add(number)
                empty = self._empty(kind, content)
                if empty is not None:
                    self._enter(number, empty, kind)
            elif self._kinds[number] != kind or not self._is_mutable(number) or number in new:
                raise UnreadableValue("no change")
        for number, kind, content in table:
            if number not in self._objects:
                self._enter(number, self._constant(kind, content), kind)
            elif kind == "object":
                changed = self._objects[number]
                self._shape(type(changed)).fill(changed, content, self.value)
            elif kind == "numpy":
                fill_array(self._objects[number], content, self.value)
            elif kind in KINDS and KINDS[kind].make is not None:
                KINDS[kind].fill(self._objects[number], content, self.value)
            if self._is_mutable(number):
                self._known[number] = content

    def _empty(self, kind: str, content: Any) -> Any:
        """Make an object that is filled later; None for kinds whose content is needed to make them."""
        if kind == "object":
            return self._shape(self.classes[content[0]]).empty(content)
        if kind == "numpy":
            return empty_array(content, self.imports_numpy)
        make = None if kind == "named" else KINDS[kind].make
        return None if make is None else make(content)

    def _constant(self, kind: str, content: Any) -> Any:
        if kind == "named":
            name, fields, *parts = content
            return self._named(name, tuple(fields), [self.value(part) for part in parts])
        if kind == "object":  # made from a tuple, a frozenset, a text or a number
            return self._shape(self.classes[content[0]]).constant(content, self.value)
        return KINDS[kind].fill(None, content, self.value)

    def _named(self, name: str, fields: tuple[str, ...], values: list[Any]) -> Any:
        if any(hasattr(tuple, field) for field in fields):
            return tuple(values)  # it would have its own `count` or `index`
        key = (name, *fields)
        if key not in self._tuples:
            self._tuples[key] = collections.namedtuple(name, fields)
        return self._tuples[key](*values)


def _not_imported(module: str, name: str) -> Any:
    raise UnreadableValue("nothing is imported at the other side's word")


def _same(left: Any, right: Any) -> bool:
    """Say if two contents are the same, 1 and True and 1.0 being different."""
    if left is right:
        return True
    if type(left) is not type(right) or left != right:
        return False
    if type(left) is list:
        return list(map(type, left)) == list(map(type, right)) and all(
            _same(a, b) for a, b in zip(left, right) if type(a) is list
        )
    return True


def _numbers(content: Any) -> list[int]:
    """Return the numbers of the objects that a content refers to."""
    numbers = []
    for part in content if type(content) is list else ():
        if type(part) is list:
            if len(part) == 1 and type(part[0]) is int:
                numbers.append(part[0])
            else:
                numbers += _numbers(part)
    return numbers
