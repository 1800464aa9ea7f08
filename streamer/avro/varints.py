"""Avro's variable-length integers, many at a time.

A number is zigzag-coded to an unsigned one and written in groups of seven bits, lowest first, each but the
last with its high bit set. Here a whole group sequence of up to eight bytes is read as one 64-bit word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streamer.avro.cursor import HIGH_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamer.avro.cursor import Cursor

_ONE = np.uint64(1)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_SEVEN = np.uint64(7)
_EIGHT = np.uint64(8)
_NOT_ONE = np.uint64(2**64 - 2)
# The steps of squeezing the unused high bits out: (the groups that move, by how many bits, one less than two to
# the power of that). Each step joins neighbours: 7 bits to 14, to 28, to 56.
_SQUEEZE = [
    (np.uint64(0x7F007F007F007F00), _ONE, _ONE),
    (np.uint64(0x3FFF00003FFF0000), np.uint64(2), np.uint64(3)),
    (np.uint64(0x0FFFFFFF00000000), np.uint64(4), np.uint64(15)),
]


def zigzag_decode(raw: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Unsigned to signed: 0, 1, 2, 3 to 0, -1, 1, -2."""
    signed = (raw >> _ONE).view(np.int64)
    sign = (raw & _ONE).view(np.int64)
    np.negative(sign, out=sign)
    signed ^= sign
    return signed


def read_varints(cursor: Cursor, present: NDArray[np.bool_] | None = None) -> NDArray[np.uint64]:
    """Reads one number of each row, still zigzag-coded, and moves on.

    Numbers that are longer than needed or exceed 64 bits mark their row.

    Args:
        cursor: The rows.
        present: Shape (n,): rows that have a number; the others do not move and yield anything.

    Returns:
        Shape (n,), dtype uint64.
    """
    position = cursor.position
    first = cursor.buffer.take(position)
    if present is not None:
        first *= present
    count = np.count_nonzero(first > 127)
    if count * 2 > len(first):
        raw, lengths, bad = _long_varints(cursor, position)
        if present is None:
            position += lengths
        else:
            lengths *= present
            position += lengths
            bad &= present
        cursor.bad |= bad
        return raw
    raw = first.astype(np.uint64)
    if count:
        rows = np.flatnonzero(first > 127)
        raw[rows], lengths, bad = _long_varints(cursor, position[rows])
        cursor.bad[rows] |= bad
        position[rows] += lengths - 1
    position += 1 if present is None else present
    return raw


def _long_varints(
    cursor: Cursor, position: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.bool_]]:
    """(raw, length in bytes, malformed) of numbers of any length."""
    word: NDArray[np.uint64] = cursor.view("<u8")[position]
    stop = ~word
    stop &= HIGH_BITS
    spare = stop - _ONE
    stop &= ~spare  # the lowest: the high bit of the last byte; 0 if there is none in eight bytes
    np.subtract(stop, _ONE, out=spare)  # the bits below it; all of them for 0
    word &= spare
    lengths: NDArray[np.int64] = np.bitwise_count(spare).astype(np.int64)
    lengths >>= 3
    lengths += 1
    # A last byte of zero, but for the number 0 itself: longer than needed.
    stop >>= _SEVEN
    stop &= _NOT_ONE
    bad = word < stop
    word &= _LOW_BITS
    most = int(lengths.max(initial=0))
    _squeeze(word, most, spare)
    if most > 8:
        rows = np.flatnonzero(lengths > 8)
        word[rows], lengths[rows], bad[rows] = _longest_varints(cursor.buffer, position[rows], word[rows])
    return word, lengths, bad


def _squeeze(word: NDArray[np.uint64], most: int, spare: NDArray[np.uint64]) -> None:
    """Joins the groups of seven bits of numbers of up to `most` bytes, in place; high bits must be clear."""
    for step, (moving, by, times) in enumerate(_SQUEEZE):
        if most > 1 << step:
            # Moving bits down is taking away what they are too high by: 1, 3 or 15 times where they go.
            np.bitwise_and(word, moving, out=spare)
            spare >>= by
            if step:
                spare *= times
            word -= spare


def peek_words(
    cursor: Cursor, present: NDArray[np.bool_] | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint8]] | None:
    """Finds where the numbers end, without making them out; the rows do not move.

    Returns:
        Words that begin with the numbers, shape (n,); which of their bits belong to them, shape (n,); their
        lengths in bytes, shape (n,). Of rows that are not present nothing belongs. None if a number takes more
        than eight bytes.
    """
    word: NDArray[np.uint64] = cursor.view("<u8")[cursor.position]
    stop = ~word
    stop &= HIGH_BITS
    bits = stop - _ONE
    bits ^= stop  # up to the lowest stop; all of them if there is none
    if np.count_nonzero(stop) < len(stop):
        endless = stop == 0
        if present is not None:
            endless &= present
        if endless.any():
            return None
    if present is not None:
        bits *= present
    lengths: NDArray[np.uint8] = np.bitwise_count(bits)
    lengths >>= 3
    return word, bits, lengths


def numbers_in(words: NDArray[np.uint64], bits: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """(zigzag-coded numbers, which are longer than needed) from what `peek_words` found, of any shape."""
    words &= bits
    most = (int(bits.max(initial=0)).bit_length() + 7) // 8
    bits >>= _EIGHT
    bad = words - _ONE < bits  # the last byte is zero; the number 0 itself wraps around and is not less
    words &= _LOW_BITS
    _squeeze(words, most, bits)
    return words, bad


def _longest_varints(
    buffer: NDArray[np.uint8], position: NDArray[np.int64], low: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[Any], NDArray[np.bool_]]:
    """Numbers of nine and ten bytes: (raw, length, malformed), given their lowest 56 bits."""
    ninth, tenth = buffer[position + 8], buffer[position + 9]
    is_nine = ninth < 128
    raw = low | ((ninth & 127).astype(np.uint64) << np.uint64(56))
    raw |= np.where(is_nine, 0, tenth & 1).astype(np.uint64) << np.uint64(63)
    bad = np.where(is_nine, ninth == 0, tenth != 1)
    return raw, np.where(is_nine, 9, 10), bad


# The same steps backwards, for writing: (what stays, what moves, by how many bits).
_SPREAD = [
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x00FFFFFFF0000000), np.uint64(4)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x0FFFC0000FFFC000), np.uint64(2)),
    (np.uint64(0x007F007F007F007F), np.uint64(0x3F803F803F803F80), _ONE),
]
_THRESHOLDS = [1 << (7 * groups) for groups in range(1, 10)]
# The high bits of a number of so many bytes, as far as the first eight bytes go.
_CONTINUED = np.array(
    [0] + [sum(0x80 << (8 * byte) for byte in range(min(length - 1, 8))) for length in range(1, 11)], np.uint64
)


def zigzag_encode(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Signed to unsigned: 0, -1, 1, -2 to 0, 1, 2, 3."""
    wide = values.astype(np.int64, copy=False)
    return ((wide << 1) ^ (wide >> 63)).view(np.uint64)


def varint_words(raw: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64] | int]:
    """The first eight bytes of each number as they are written, and how many bytes it takes.

    Args:
        raw: Zigzag-coded numbers, shape (n,).

    Returns:
        Words to be stored little-endian, shape (n,); lengths of 1 to 10, shape (n,), or one for all.
    """
    if not len(raw):
        return raw, 1
    fewest, most = (varint_length(int(bound)) for bound in (raw.min(), raw.max()))
    lengths: NDArray[np.int64] | int = fewest
    if fewest < most:
        lengths = np.full(len(raw), fewest, np.int64)
        for threshold in _THRESHOLDS[fewest - 1 : most - 1]:
            lengths += raw >= np.uint64(threshold)
    if most == 1:
        return raw, lengths
    word = raw
    for stay, move, by in _SPREAD:
        word = (word & stay) | ((word & move) << by)
    return word | _CONTINUED[lengths], lengths


def varint_length(raw: int) -> int:
    """The bytes that one zigzag-coded number takes."""
    return max(1, (raw.bit_length() + 6) // 7)


def varint_bytes(value: int) -> bytes:
    """One int or long as it is written."""
    raw = (value << 1) ^ (value >> 63)
    data = bytearray()
    while raw > 127:
        data.append(raw & 127 | 128)
        raw >>= 7
    data.append(raw)
    return bytes(data)
