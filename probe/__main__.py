"""`python -m probe` is `endpoint-probe`."""

import os
import signal
import sys


def main() -> int:
    """The console script's entry point; Ctrl-C during the imports ends the program without a traceback."""
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(130))
    from probe.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
