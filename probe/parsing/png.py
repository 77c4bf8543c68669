"""PNG files of plain colour areas, written without an image library (PNG specification, third edition)."""

from __future__ import annotations

import base64
import struct
import zlib


def encode(side: int, lines: bytes, comment: bytes = b"") -> bytes:
    """A square PNG of ``side`` pixels: 8 bits a sample, truecolour, not interlaced.

    Args:
        lines: the scan lines, each a zero byte (no filter) and three bytes a pixel.
        comment: text for a tEXt chunk, which makes the file longer without changing the picture.
    """
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(lines, 9))]
    if comment:
        chunks.append((b"tEXt", b"Comment\x00" + comment))
    chunks.append((b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def data_uri(png: bytes) -> str:
    """The picture as a ``data:`` URI (RFC 2397)."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
