"""Plain values as msgpack and back: what a stream and its reader say to each other beside the data.

Market data goes through `encoding` and `decoding`, which are compiled. Source: the msgpack specification
(github.com/msgpack/msgpack, spec.md).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from qtw_lab.core import DataError
from qtw_lab.venues.wire.values import message_of


def pack(value: Any) -> bytes:
    """Plain values (None, bool, int, float, str, bytes, list, tuple, mapping) as msgpack.

    Raises
    ------
    DataError
        If a value is none of these, or too large.

    Examples
    --------
    >>> pack([{"T": "success", "msg": "connected"}]).hex()
    '9182a154a773756363657373a36d7367a9636f6e6e6563746564'
    """
    packer = _PACKERS.get(type(value))
    if packer is None:
        raise DataError(f"MessagePack has no form here for {type(value).__name__}: give plain values.")
    return packer(value)


def unpack(content: bytes) -> Any:
    """The one value that msgpack spells; timestamps come as `Nanoseconds`, other extensions as their bytes.

    Raises
    ------
    DataError
        If it is cut short, has something after its end, is nested too deep or spells no value.

    Examples
    --------
    >>> unpack(pack({"action": "auth", "n": [1, -2, 3.5, None, True]}))
    {'action': 'auth', 'n': [1, -2, 3.5, None, True]}
    """
    value, length = message_of(content)
    if length != len(content):
        raise DataError(f"{len(content) - length} bytes follow the end of a MessagePack message.")
    return value


def _text(value: str) -> bytes:
    content = value.encode()
    return _head(len(content), (0xA0, 31), (0xD9, 0xDA, 0xDB)) + content


def _bytes(value: bytes) -> bytes:
    return _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value


def _list(value: Sequence[Any]) -> bytes:
    return _head(len(value), (0x90, 15), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))


def _map(value: Mapping[Any, Any]) -> bytes:
    pairs = b"".join(pack(key) + pack(content) for key, content in value.items())
    return _head(len(value), (0x80, 15), (None, 0xDE, 0xDF)) + pairs


def _whole(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b", value) if value < 0 else bytes([value])
    if not -(2**63) <= value < 2**64:
        raise DataError(f"The whole number {value} has more than 64 bits; MessagePack cannot carry it.")
    if value < 0:
        return b"\xd3" + struct.pack(">q", value)
    return b"\xcf" + struct.pack(">Q", value)


def _head(size: int, small: tuple[int, int] | None, codes: tuple[int | None, int, int]) -> bytes:
    """The head of a text, list or map with that many parts."""
    if small is not None and size <= small[1]:
        return bytes([small[0] | size])
    for code, width in zip(codes, (1, 2, 4), strict=True):
        if code is not None and size < 1 << 8 * width:
            return bytes([code]) + size.to_bytes(width)
    raise DataError(f"A message with {size:,} members is too long to be sent.")


_PACKERS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda _: b"\xc0", bool: lambda value: b"\xc3" if value else b"\xc2", int: _whole,
    float: lambda value: b"\xcb" + struct.pack(">d", value), str: _text, bytes: _bytes,
    list: _list, tuple: _list, dict: _map,
}  # fmt: skip
