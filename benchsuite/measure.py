"""Runs one command to its end and prints what it took.

    measure.py LIMIT COMMAND [ARGUMENT...]

Prints `done` (or `cut`, when LIMIT seconds were over and it was killed), the wall time in seconds from before its
start to after its end, the CPU time of user and system in seconds, and the peak of its resident memory in KiB. What
the command says on stderr is passed on; when it fails, so does this.

The kernel counts the memory that a process had before its exec as well, which is that of this one: no command can
seem to take less. So nothing is imported that is not needed; `measure.py 9 true` tells the floor.
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
