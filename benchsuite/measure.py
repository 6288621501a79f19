"""Runs one command to its end and prints its resource usage.

    measure.py LIMIT COMMAND [ARGUMENT...]

Prints `done` (or `cut`, when it was killed after LIMIT seconds), the wall time in seconds from before its start to
after its end, the user and system CPU time in seconds, and its peak resident memory in KiB. The stderr of the command
is passed through; when the command fails, so does this.

The kernel also counts the memory that a process had before its exec, which is that of this program: no command can
appear to use less. So only what is needed is imported; `measure.py 9 true` shows the floor.
"""
import os
import signal
import sys
import time

limit = float(sys.argv[1])
command = sys.argv[2:]
cut = False


def kill(_signal, _frame):
    global cut
    cut = True
    os.kill(child, signal.SIGKILL)


nothing = os.open(os.devnull, os.O_RDWR)
files = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, nothing, 1)]
signal.signal(signal.SIGALRM, kill)
start = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
signal.setitimer(signal.ITIMER_REAL, limit)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - start
signal.setitimer(signal.ITIMER_REAL, 0)

code = os.waitstatus_to_exitcode(status)
if code != 0 and not cut:
    sys.exit(f"{command[0]} ended with {code}")
print("cut" if cut else "done", wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
