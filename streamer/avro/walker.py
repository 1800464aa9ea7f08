"""A strict reader of one payload that yields no values, only what is wrong and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.avro.avro_types import Array, AvroType, Enum, Fixed, Map, Primitive, Record, Union, smallest_size

if TYPE_CHECKING:
    from streamer.avro.limits import Limits

_SIZES = {"boolean": 1, "float": 4, "double": 8}


class Malformed(Exception):
    """One payload is not what its schema says.

    Args:
        reason: A short stable code.
        message: What is wrong, for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(reason, message)


class Walker:
    """Walks over values of a payload, checking every byte.

    Args:
        data: The buffer that the payload is in.
        position: Where it begins.
        end: One past its last byte.
        limits: Bounds on what it may hold.
    """

    __slots__ = ("_items", "data", "end", "position")

    def __init__(self, data: bytes, position: int, end: int, limits: Limits) -> None:
        self.data = data
        self.position = position
        self.end = end
        self._items = limits.items

    def skip(self, size: int, path: str) -> int:
        """Moves on by `size` bytes and returns where they began."""
        start = self.position
        if size > self.end - start:
            raise Malformed("truncated", f"field {path}: needs {size} bytes, {max(self.end - start, 0)} are left")
        self.position = start + size
        return start

    def varint(self, path: str, bits: int = 64) -> int:
        """Reads one int (32 bits) or long (64)."""
        value = shift = 0
        while True:
            byte = self.data[self.skip(1, path)]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 128:
                break
            if shift >= 70:
                raise Malformed("bad_varint", f"field {path}: a number of more than 10 bytes")
        if byte == 0 and shift > 7:
            raise Malformed("bad_varint", f"field {path}: a number written with more bytes than it needs")
        if value >= 2**64:
            raise Malformed("bad_varint", f"field {path}: a number of more than 64 bits")
        if value >= 2**bits:
            raise Malformed("int_out_of_range", f"field {path}: an int of more than 32 bits")
        return (value >> 1) ^ -(value & 1)

    def branch(self, count: int, path: str) -> int:
        """Reads the branch of a union."""
        index = self.varint(path)
        if not 0 <= index < count:
            raise Malformed("bad_branch", f"field {path}: branch {index} of a union of {count}")
        return index

    def symbol(self, count: int, path: str) -> int:
        """Reads the index of an enum's symbol."""
        index = self.varint(path)
        if not 0 <= index < count:
            raise Malformed("bad_symbol", f"field {path}: symbol {index} of an enum of {count}")
        return index

    def chunk(self, path: str) -> bytes:
        """Reads bytes with their length in front."""
        length = self.varint(path)
        left = self.end - self.position
        if length < 0:
            raise Malformed("bad_length", f"field {path}: a length of {length}")
        if length > left:
            raise Malformed("truncated", f"field {path}: a length of {length} bytes, {left} are left")
        start = self.skip(length, path)
        return self.data[start : start + length]

    def text(self, path: str) -> str:
        """Reads a string."""
        chunk = self.chunk(path)
        try:
            return chunk.decode()
        except UnicodeDecodeError as error:
            raise Malformed("bad_utf8", f"field {path}: not UTF-8 at byte {error.start}") from None

    def value(self, avro_type: AvroType, path: str) -> None:
        """Walks over one value of any type."""
        match avro_type:
            case Primitive(name="null"):
                return
            case Primitive(name="boolean"):
                byte = self.data[self.skip(1, path)]
                if byte > 1:
                    raise Malformed("bad_boolean", f"field {path}: {byte} for a boolean")
            case Primitive(name="int"):
                self.varint(path, 32)
            case Primitive(name="long"):
                self.varint(path)
            case Primitive(name="string"):
                self.text(path)
            case Primitive(name="bytes"):
                self.chunk(path)
            case Primitive():
                self.skip(_SIZES[avro_type.name], path)
            case Fixed():
                self.skip(avro_type.size, path)
            case Enum():
                self.symbol(len(avro_type.symbols), path)
            case Record():
                for field in avro_type.fields:
                    self.value(field.type, f"{path}.{field.name}")
            case Union():
                self.value(avro_type.branches[self.branch(len(avro_type.branches), path)], path)
            case Array():
                self._blocks(avro_type.items, path, is_map=False)
            case Map():
                self._blocks(avro_type.values, path, is_map=True)

    def _blocks(self, inner: AvroType, path: str, *, is_map: bool) -> None:
        """An array or a map: blocks of items, each with a count, negative if its size in bytes follows."""
        smallest = smallest_size(inner) + is_map
        keys: set[str] = set()
        while count := self.varint(path):
            size = None
            if count < 0:
                count = -count
                size = self.varint(path)
            start = self.position
            if count * smallest > self.end - start:
                raise Malformed(
                    "bad_count",
                    f"field {path}: {count} items of {smallest} bytes or more, {self.end - start} bytes are left",
                )
            self._items -= count
            if self._items < 0:
                raise Malformed("too_many_items", f"field {path}: more items than the limits allow")
            for _ in range(count):
                if is_map:
                    key = self.text(path)
                    if key in keys:
                        raise Malformed("duplicate_key", f"field {path}: the key {key!r:.60} is there twice")
                    keys.add(key)
                self.value(inner, f"{path}[]")
            if size is not None and size != self.position - start:
                raise Malformed(
                    "bad_length",
                    f"field {path}: a block of {self.position - start} bytes that says it has {size}",
                )
