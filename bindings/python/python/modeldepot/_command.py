"""The `modeldepot` command, as the wheel installs it."""

from __future__ import annotations

import signal
import sys

from ._modeldepot import command


def main() -> int:
    """Runs the command with this process's arguments and returns its exit status."""
    # The command handles Ctrl-C itself; Python's handler would only run when the call returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return command(["modeldepot", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
