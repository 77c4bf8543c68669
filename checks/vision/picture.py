"""A picture made on the fly: four plain colours, one in each quadrant, in a layout nobody can guess.

Written with zlib and struct alone (PNG, third edition: signature, IHDR, IDAT, IEND; 8 bits a
sample, truecolour, no filter, not interlaced), since that is all a flat picture needs.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Sequence

#: Colours that every model and every person gives the same name.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def unguessable(source: random.Random | None = None, avoid: Sequence[str] = ()) -> tuple[str, str, str, str]:
    """Four different colours for top left, top right, bottom left, bottom right.

    Two of red, blue and yellow, so that swapped colour channels show; two of green, black
    and white, so that the guess of a blind model (red, green, blue, yellow) is never right.
    There are 216 layouts.

    Args:
        avoid: colours named before, in the same order: no quadrant has the one named for it,
            so that whoever says the same again is wrong everywhere.
    """
    source = source or random.SystemRandom()
    while True:
        chosen = [*source.sample(("red", "blue", "yellow"), 2), *source.sample(("green", "black", "white"), 2)]
        source.shuffle(chosen)
        if not any(mine == theirs for mine, theirs in zip(chosen, avoid, strict=False)):
            first, second, third, fourth = chosen
            return first, second, third, fourth


def quadrants(colours: Sequence[str], side: int, comment: int = 0) -> bytes:
    """A square PNG of ``side`` pixels (even) with four colours of ``COLOURS``.

    Args:
        colours: names for top left, top right, bottom left, bottom right.
        comment: bytes of random text to put in beside the picture (a tEXt chunk).  Whoever
            looks at the picture pays nothing for them; whoever reads its data URI does.

    Raises:
        ValueError: not four colours, or an odd or unusable side.
    """
    if len(colours) != 4 or side < 2 or side % 2:
        raise ValueError("four colours and an even side are wanted")
    half = side // 2
    samples = [bytes(COLOURS[name]) * half for name in colours]
    top = b"\x00" + samples[0] + samples[1]
    bottom = b"\x00" + samples[2] + samples[3]
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(top * half + bottom * half, 9)
    remark = b""
    if comment:
        text = base64.b64encode(random.randbytes(comment))[:comment]
        remark = _chunk(b"tEXt", b"Comment\x00" + text)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + remark + _chunk(b"IEND", b"")


def data_uri(png: bytes) -> str:
    """The picture as a ``data:`` URI (RFC 2397)."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
