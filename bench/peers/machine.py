"""The machine: what it is, whether it is idle, and how to keep it busy. Linux, from /proc."""
import os
import subprocess
import sys
import time

CORES = len(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")  # a second, in which the kernel counts processor time


def describe():
    """Processor, cores, memory, as a person would say it. A name as "AMD EPYC" stands for many: family and model tell which one it is."""
    names = {}
    with open("/proc/cpuinfo") as file:
        for line in file:
            key, _, value = line.partition(":")
            names.setdefault(key.strip(), value.strip())
    name = names.get("model name", os.uname().machine)
    if "cpu family" in names:
        name += f" (family {names['cpu family']}, model {names['model']})"
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1])
    return f"{name}, {CORES} cores, {memory / 2**20:.0f} GiB"


def used():
    """Processor seconds that all programs together have used since the machine started."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, interrupts, soft, steal = (int(x) for x in file.readline().split()[1:9])
    return (user + nice + system + interrupts + soft + steal) / TICKS


def wait_until_idle(most_busy=0.05, patience=1800, look=1.0):
    """Returns when the machine's cores were busy for less than most_busy of the time; gives up after patience seconds."""
    begin = time.monotonic()
    while True:
        before = used()
        time.sleep(look)
        busy = (used() - before) / look / CORES
        if busy < most_busy:
            return
        if time.monotonic() - begin > patience:
            raise SystemExit(f"measure: the machine was never idle in {patience} s: {100 * busy:.0f} % busy at last")


class Burners:
    """One process that computes on each core, as long as the with block lasts."""

    def __enter__(self):
        self.processes = []
        for core in sorted(os.sched_getaffinity(0)):
            program = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
            self.processes.append(subprocess.Popen([sys.executable, "-c", program]))
        time.sleep(0.5)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
