"""The `modeldepot` command, as the wheel installs it."""

from __future__ import annotations

import signal
import sys

from ._modeldepot import command


def main() -> int:
    """Runs the command with this process's arguments and returns its exit status."""
    # Ctrl-C is the command's, which has its own way of ending; Python's would wait for a thread that never looks.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return command(["modeldepot", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
