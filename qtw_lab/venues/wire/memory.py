"""Loads and stores at an address, for compiled code.

An array that is passed from function to function has its owners counted at every step, which costs more than reading a
message does. An address has no owner. Whoever takes one from an array (``array.ctypes.data``) keeps the array alive,
and whoever loads from one knows its bounds: nothing here checks them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., object])


def within(function: F) -> F:
    """Compile `function` into each of its callers, whatever its size: a call for each value would cost more than it."""
    return cast("F", numba.njit(forceinline=True, nogil=True, error_model="numpy")(function))


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _loads(kind: Any, *, swapped: bool = False) -> Callable[[int, int], int]:
    """A load from `address + offset` as a number of 64 bits; fewer have no sign."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        found = builder.load(_pointer(builder, builder.add(*arguments), kind), align=1)
        if swapped:
            found = builder.bswap(found)
        return found if kind is cgutils.intp_t else builder.zext(found, cgutils.intp_t)

    def load(_: Any, address: Any, offset: Any) -> Any:  # noqa: ARG001  (Numba gives the arguments' types by place)
        return types.int64(types.int64, types.int64), code

    return cast("Callable[[int, int], int]", intrinsic(load))


def _puts(kind: Any) -> Callable[[int, int, int], int]:
    """A store at `address + offset` of the lowest bits of a number."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        address, offset, value = arguments
        stored = value if kind is cgutils.intp_t else builder.trunc(value, kind)
        builder.store(stored, _pointer(builder, builder.add(address, offset), kind), align=1)
        return value

    def put(_: Any, address: Any, offset: Any, value: Any) -> Any:  # noqa: ARG001  (as above)
        return types.int64(types.int64, types.int64, types.int64), code

    return cast("Callable[[int, int, int], int]", intrinsic(put))


def _copy(_: Any, target: Any, source: Any, size: Any) -> Any:  # noqa: ARG001  (as above)
    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        target, source, size = arguments
        places = [_pointer(builder, address, cgutils.int8_t) for address in (target, source)]
        copied: Any = cgutils.raw_memcpy
        copied(builder, *places, size, cgutils.intp_t(1))
        return size

    return types.int64(types.int64, types.int64, types.int64), code


#: A byte, and numbers of 4 and 8 bytes as the machine has them (lowest byte first).
byte_at = _loads(cgutils.int8_t)
four_at = _loads(cgutils.int32_t)
eight_at = _loads(cgutils.intp_t)
#: Numbers of 4 and 8 bytes whose highest byte is the first.
big_four_at = _loads(cgutils.int32_t, swapped=True)
big_eight_at = _loads(cgutils.intp_t, swapped=True)
#: Store a number's lowest byte, or all eight as the machine has them: ``put_byte(address, offset, value)``.
put_byte = _puts(cgutils.int8_t)
put_eight = _puts(cgutils.intp_t)
#: Copy bytes that do not overlap: ``copy(target, source, size)``, both addresses.
copy = cast("Callable[[int, int, int], int]", intrinsic(_copy))
