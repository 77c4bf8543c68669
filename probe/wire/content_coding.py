"""Undoing the content coding (RFC 9110, 8.4.1) of a body, read by read."""

from __future__ import annotations

import zlib

#: The most bytes of a body that are read, before and after content decoding.
BODY_LIMIT = 8 * 1024 * 1024


def decode(chunks: list[bytes], encoding: str, limit: int = BODY_LIMIT) -> tuple[list[bytes], bool, str | None]:
    """The decoded chunks up to ``limit`` bytes, whether the limit cut them, and the error or None."""
    if encoding in ("", "identity"):
        return chunks, False, None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return chunks, False, f"content coding '{encoding}' was not offered"
    machine = zlib.decompressobj(16 + zlib.MAX_WBITS if "gzip" in encoding else zlib.MAX_WBITS)
    decoded: list[bytes] = []
    room = limit
    for index, chunk in enumerate(chunks):
        if machine.eof:  # bytes after the compressed body are ignored
            decoded.append(b"")
            continue
        try:
            try:
                piece = machine.decompress(chunk, room)
            except zlib.error:
                if index or encoding != "deflate":
                    raise
                machine = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers send the raw form (RFC 9110, 8.4.1.2)
                piece = machine.decompress(chunk, room)
        except zlib.error as error:
            return decoded, False, f"broken {encoding} body: {error}"
        decoded.append(piece)
        room -= len(piece)
        if room <= 0:
            return decoded, True, None
    return decoded, False, None
