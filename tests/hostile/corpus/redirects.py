"""Redirects to everywhere: loops, other origins, other schemes, and places that are no URL."""

from __future__ import annotations

from collections.abc import Iterator

from tests.hostile.scripts import KEEP, Act, Scene, hostile, reply

PLACES = {
    "itself": "{path}",
    "a-loop": "/v1/chat/completions?again=1",
    "growing": "{path}/x",
    "another-origin": "{elsewhere}/chat/completions",
    "another-origin-by-slashes": "//{authority}/v1/chat/completions",
    "another-origin-with-user": "http://user:pass@{authority}/v1/chat/completions",
    "backslashes": "\\\\{authority}\\v1",
    "https": "https://127.0.0.1:{port}/v1/chat/completions",
    "other-name-same-machine": "http://localhost:{port}/v1/chat/completions",
    "file": "file:///etc/passwd",
    "data": "data:application/json,%7B%22choices%22%3A%5B%5D%7D",
    "javascript": "javascript:alert(1)",
    "unix-socket": "unix:///var/run/docker.sock",
    "key-thrown-back": "{elsewhere}/take?key={secret}",
    "key-in-path": "/v1/{secret}/chat/completions",
    "no-url": "http://[::1",
    "bad-port": "http://127.0.0.1:99999/v1/chat/completions",
    "empty": "",
    "spaces": "  /v1 /chat completions ",
    "control-characters": "/v1/chat\x01\x1b[2J/completions",
    "not-ascii": "/v1/\u00fc\u4e2d\U0001f600/chat/completions",
    "very-long": "/" + "a" * 60_000 + "/chat/completions",
    "dots": "/../../../../v1/chat/completions",
    "question-mark": "?",
    "fragment": "#/chat/completions",
}
STATUSES = (301, 302, 303, 307, 308)

for _name, _place in PLACES.items():

    @hostile(f"redirect-to-{_name}")
    def redirect(scene: Scene, place: str = _place) -> Iterator[Act]:
        host = scene.request.header("host") or "127.0.0.1:1"
        words = {
            "elsewhere": scene.elsewhere,
            "authority": scene.elsewhere.split("/")[2] if scene.elsewhere else "127.0.0.1:9",
            "port": host.rpartition(":")[2],
            "secret": scene.secret,
            "path": scene.request.target,
        }
        goal = place.format(**words) if "{" in place else place
        yield reply(b"", scene.random.choice(STATUSES), fields=(("Location", goal),))
        yield KEEP


@hostile("redirect-without-a-location")
def nowhere(scene: Scene) -> Iterator[Act]:
    yield reply(b"", 302)
    yield KEEP


@hostile("redirect-with-several-locations")
def several(scene: Scene) -> Iterator[Act]:
    places = ("/v1/chat/completions", scene.elsewhere + "/chat/completions", "file:///etc/passwd")
    yield reply(b"", 307, fields=tuple(("Location", place) for place in places))
    yield KEEP


@hostile("redirect-by-page")
def page(scene: Scene) -> Iterator[Act]:
    goal = scene.elsewhere
    html = f'<html><meta http-equiv=refresh content="0;url={goal}"><script>location="{goal}"</script>'
    yield reply(html.encode(), kind="text/html")
    yield KEEP
