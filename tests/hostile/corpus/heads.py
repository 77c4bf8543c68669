"""Status lines and header fields: endless, broken, misleading."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.scripts import HANG, KEEP, Act, Scene, hostile, reply

OK = b"HTTP/1.1 200 OK\r\n"


@hostile("head-endless-line", heavy=True)
def endless_line(scene: Scene) -> Iterator[Act]:
    yield OK + b"X-Long: "
    for _ in range(1600):
        yield b"a" * 65536


@hostile("head-endless-fields", heavy=True)
def endless_fields(scene: Scene) -> Iterator[Act]:
    yield OK
    for number in range(1_000_000):
        yield b"X-%d: y\r\n" % number * 100


@hostile("head-many-fields")
def many_fields(scene: Scene) -> Iterator[Act]:
    yield reply(scene.valid.body, fields=tuple((f"x-{number}", "y") for number in range(6_000)))
    yield KEEP


@hostile("head-same-field-again")
def same_field(scene: Scene) -> Iterator[Act]:
    yield reply(scene.valid.body, fields=(("x-again", "y"),) * 7_000)
    yield KEEP


@hostile("head-one-byte-at-a-time", slow=True)
def slow_head(scene: Scene) -> Iterator[Act]:
    for byte in scene.valid.wire():
        yield bytes([byte])
        yield 0.5


@hostile("head-and-then-nothing", slow=True)
def head_only(scene: Scene) -> Iterator[Act]:
    yield OK + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    yield HANG


for _number in (100, 102, 103, 150, 199):

    @hostile(f"informational-{_number}-storm", slow=True)
    def storm(scene: Scene, number: int = _number) -> Iterator[Act]:
        one = b"HTTP/1.1 %d Wait\r\nLink: </a>; rel=preload\r\n\r\n" % number
        for _ in range(4000):
            yield one * 50
            yield 0.001


@hostile("informational-before-the-answer")
def early(scene: Scene) -> Iterator[Act]:
    yield b"HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n" * 20 + scene.valid.wire()
    yield KEEP


STARTS: dict[str, bytes] = {
    "http-0.9": b"",
    "http-1.0": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n",
    "http-2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "http-9.9": b"HTTP/9.9 200 OK\r\n\r\n",
    "icy": b"ICY 200 OK\r\n\r\n",
    "status-0": b"HTTP/1.1 000 Nothing\r\n\r\n",
    "status-99": b"HTTP/1.1 99 Low\r\n\r\n",
    "status-999": b"HTTP/1.1 999 High\r\nContent-Type: application/json\r\n\r\n",
    "status-1000": b"HTTP/1.1 1000 Higher\r\n\r\n",
    "status-negative": b"HTTP/1.1 -20 Minus\r\n\r\n",
    "status-word": b"HTTP/1.1 fine OK\r\n\r\n",
    "status-600": b"HTTP/1.1 600 New\r\n\r\n",
    "no-reason": b"HTTP/1.1 200\r\n\r\n",
    "odd-reason": b"HTTP/1.1 200 \xff\xfe\x1b[31m\xc3\r\n\r\n",
    "switching-protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "line-feeds-only": b"HTTP/1.1 200 OK\nContent-Type: application/json\n\n",
    "folded": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n  ; charset=utf-8\r\n\r\n",
    "no-colon": b"HTTP/1.1 200 OK\r\nthis is no field\r\n\r\n",
    "nul-in-field": b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\n\r\n",
    "space-in-name": b"HTTP/1.1 200 OK\r\nContent Type : text/html\r\n\r\n",
    "binary-field": b"HTTP/1.1 200 OK\r\nServer: \xff\xfe\x80\xc3\xa9\r\nX-Esc: \x1b]0;title\x07\r\n\r\n",
    "transfer-unknown": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "transfer-twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}
for _name, _start in STARTS.items():

    @hostile(f"start-{_name}")
    def odd_start(scene: Scene, start: bytes = _start) -> Iterator[Act]:
        yield start + scene.valid.body


for _status in (201, 202, 204, 205, 206, 226, 300, 304, 306, 402, 407, 418, 421, 425, 431, 451, 505, 511, 520, 599):

    @hostile(f"status-{_status}-with-the-right-body")
    def odd_status(scene: Scene, status: int = _status) -> Iterator[Act]:
        yield reply(scene.valid.body, status=status)


RETRY_AFTER = {
    "nan": "nan",
    "infinite": "inf",
    "negative": "-1",
    "huge": "1e308",
    "word": "soon",
    "year-1": "Mon, 01 Jan 0001 00:00:00 +2359",
    "year-9999": "Fri, 31 Dec 9999 23:59:59 -2359",
    "odd-zone": "Mon, 23 Nov 2026 00:00:00 +99999999999999999999",
    "zero": "0",
}
for _name, _text in RETRY_AFTER.items():

    @hostile(f"retry-after-{_name}", slow=True)
    def retry_after(scene: Scene, text: str = _text) -> Iterator[Act]:
        status = scene.random.choice([429, 503])
        yield reply({"error": {"message": "busy"}}, status=status, fields=(("Retry-After", text),))
        yield KEEP


TYPES = {
    "empty": "",
    "nonsense": "/;/;==,,",
    "huge": "application/json; a=" + "b" * 60_000,
    "event-stream": "text/event-stream",
    "utf-16": "application/json; charset=utf-16",
    "unknown-charset": "application/json; charset=../../etc/passwd",
    "multipart": "multipart/x-mixed-replace; boundary=x",
    "html": "text/html",
    "newline-escape": "application/json%0d%0aSet-Cookie: a=b",
}
for _name, _kind in TYPES.items():

    @hostile(f"type-{_name}")
    def odd_type(scene: Scene, kind: str = _kind) -> Iterator[Act]:
        yield reply(scene.valid.body, kind=kind)
        yield KEEP


@hostile("cookies")
def cookies(scene: Scene) -> Iterator[Act]:
    more = (
        ("Set-Cookie", "sid=tracked; Path=/; HttpOnly"),
        ("Set-Cookie", "a=b; Domain=127.0.0.1; Max-Age=99999"),
        ("Set-Cookie", "=; ;;; expires=never; " + "x" * 5000),
    )
    body = scene.valid.body
    yield reply(body, scene.valid.status, "text/event-stream" if scene.valid.streamed else "application/json", more)
    yield KEEP


@hostile("authenticate-challenges")
def challenges(scene: Scene) -> Iterator[Act]:
    asked = ("Basic realm=x", "Digest nonce=y, realm=z", "NTLM", "Negotiate abc", "Bearer error=" + "q" * 3000)
    yield reply(b"", 401, fields=tuple(("WWW-Authenticate", text) for text in asked))
    yield KEEP


@hostile("upgrade-asked-for")
def upgrade(scene: Scene) -> Iterator[Act]:
    more = (("Upgrade", "h2c"), ("Alt-Svc", 'h3=":443"; ma=9'), ("Refresh", "0; url=file:///etc/passwd"))
    yield reply(scene.valid.body, 426, fields=more)
    yield KEEP
