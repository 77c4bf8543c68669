"""Undoing content coding (RFC 9110, 8.4.1) of a body that came in pieces."""

from __future__ import annotations

import zlib

#: A body is read up to here and no further, before and after content decoding.
BODY_LIMIT = 8 * 1024 * 1024


def decode(chunks: list[bytes], encoding: str, limit: int = BODY_LIMIT) -> tuple[list[bytes], bool, str | None]:
    """Undo content coding chunk by chunk, never past ``limit`` bytes.

    Returns the decoded chunks, whether the limit cut them, and what was wrong.
    """
    if encoding in ("", "identity"):
        return chunks, False, None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return chunks, False, f"content coding '{encoding[:20]}' was not offered"
    window = 16 + zlib.MAX_WBITS if "gzip" in encoding else zlib.MAX_WBITS
    machine = zlib.decompressobj(window)
    decoded: list[bytes] = []
    room = limit
    for index, chunk in enumerate(chunks):
        if machine.eof:  # what follows the compressed body is nobody's
            decoded.append(b"")
            continue
        try:
            piece = machine.decompress(chunk, room)
        except zlib.error as error:
            if index == 0 and encoding == "deflate" and window > 0:
                window = -zlib.MAX_WBITS  # some servers send the raw form (RFC 9110, 8.4.1.2)
                machine = zlib.decompressobj(window)
                try:
                    piece = machine.decompress(chunk, room)
                except zlib.error:
                    return decoded, False, f"broken {encoding} body: {error}"
            else:
                return decoded, False, f"broken {encoding} body: {error}"
        decoded.append(piece)
        room -= len(piece)
        if room <= 0:
            return decoded, True, None
    return decoded, False, None
