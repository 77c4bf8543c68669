"""The simulated endpoint in a process of its own, so that its clock and the client's do not disturb each other.

    python -m tests.live.simulated PORT [RATE [HOST [FAULT ...]]]

HOST is another address to listen on beside loopback: bytes are passed between the two, for tests whose client is
in another network namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from probe.simulator import Simulator
from tests.live.processes import Running, serving

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def simulated(folder: Path, *, rate: float = 60.0, faults: Sequence[str] = ()) -> Iterator[Running]:
    """An open endpoint on loopback that writes `rate` tokens a second."""
    with serving(
        "simulated", lambda port: command(port, rate, "127.0.0.1", faults), folder, env={"PYTHONPATH": str(ROOT)}
    ) as running:
        yield running


def command(port: int, rate: float, host: str, faults: Sequence[str] = ()) -> list[str]:
    """The command line that starts this module."""
    return [sys.executable, "-m", "tests.live.simulated", str(port), str(rate), host, *faults]


async def _relay(host: str, port: int) -> None:
    """Passes bytes between `host` and loopback, both on `port`, until cancelled."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(serve, host, port)
    async with server:
        await server.serve_forever()


async def _serve(port: int, rate: float, host: str, faults: Sequence[str]) -> None:
    simulator = Simulator(faults=faults, key=None, rate_tokens_s=rate, port=port)
    async with simulator.running():
        if host == "127.0.0.1":
            await asyncio.Event().wait()
        await _relay(host, port)


if __name__ == "__main__":
    words = [*sys.argv[1:], "60", "127.0.0.1"][:3] if len(sys.argv) < 4 else sys.argv[1:4]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(words[0]), float(words[1]), words[2], sys.argv[4:]))
