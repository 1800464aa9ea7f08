"""Decimals: big-endian two's complement integers with a scale."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation

# Enough for any precision that the limits allow; scaling must never round.
_EXACT = Context(prec=10_000, traps=[Inexact, InvalidOperation])


def longest_decimal_bytes(precision: int) -> int:
    """The bytes that every integer of that many digits fits into."""
    return int(10**precision).bit_length() // 8 + 1


def decimal_of(data: bytes, precision: int, scale: int) -> Decimal | str:
    """The decimal that these bytes stand for, or what is wrong with them."""
    if not data:
        return "a decimal of 0 bytes"
    # Sign extension makes longer forms of small numbers legal; a bound keeps them cheap.
    if len(data) > longest_decimal_bytes(precision) + 16:
        return f"a decimal of {len(data)} bytes, too many for a precision of {precision} digits"
    unscaled = int.from_bytes(data, "big", signed=True)
    if abs(unscaled) >= 10**precision:
        return f"a decimal of more than {precision} digits"
    return Decimal(unscaled).scaleb(-scale, _EXACT)


def decimal_bytes(value: Decimal | int, precision: int, scale: int, size: int | None) -> bytes | str:
    """The bytes of a decimal, or why it does not fit.

    Args:
        value: A finite decimal, or an integer.
        precision: The most digits that the type admits.
        scale: Its digits behind the point.
        size: The size of a fixed type, which every number of that precision fits into; None for bytes.
    """
    number = Decimal(value)
    if not number.is_finite():
        return f"{value} is not a finite decimal"
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + exponent + scale > precision + 1 and any(digits):
        return f"{value} has more than {precision} digits at scale {scale}"
    try:
        unscaled = int(number.scaleb(scale, _EXACT).to_integral_exact(context=_EXACT))
    except (Inexact, InvalidOperation):
        return f"{value} has more than {scale} digits behind the point"
    if abs(unscaled) >= 10**precision:
        return f"{value} has more than {precision} digits at scale {scale}"
    needed = (unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8 + 1
    return unscaled.to_bytes(needed if size is None else size, "big", signed=True)
