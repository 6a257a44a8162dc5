"""The conversation between measure.py and a program that is timed: one JSON object a line.

The program says what it is in a first line. Then, for every request, it does the job until so many seconds have passed and answers with the
seconds a job took and what it found. Nothing runs between an answer and the next request, so programs can take turns.
"""
import json
import subprocess
import sys
import time

import machine


class Failed(Exception):
    """A program could not do a job."""


class Program:
    """A program that is timed, in a process of its own."""

    def __init__(self, name, command, log):
        self.name, self.log = name, log
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"), text=True)
        self.info = self._answer()["info"]

    def _answer(self):
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                answer = json.loads(line)
                if answer.get("error"):
                    raise Failed(f"{self.name}: {answer['error']}")
                return answer
        with open(self.log) as log:
            raise Failed(f"{self.name}: ended: {log.read()[-1500:]}")

    def ask(self, request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._answer()

    def used(self):
        """Processor seconds of the process and its threads so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / machine.TICKS

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(info, once):
    """The other side: answers requests by once(request), which does a job and returns what it found."""
    def say(answer):
        print(json.dumps(answer), flush=True)

    say({"info": info})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            times, begin = 0, time.perf_counter()
            while times == 0 or time.perf_counter() - begin < request["Seconds"]:
                found = once(request)
                times += 1
            took = time.perf_counter() - begin
            say({"seconds": took / times, "times": times, "found": found() if request.get("Check") else {}})
        except Exception as fault:  # whatever it is, the other side shall hear of it
            say({"error": f"{type(fault).__name__}: {fault}"[:600]})
