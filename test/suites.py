"""Runs the test suites and counts what they say.   suites.py [--kinds] [NAME...]

A suite is an executable test/SUITE/run that prints one line a result (test/README.md has the protocol). This file knows
which suites there are, which build each one wants, and how long it may take; everything else is the suite's own. The last
line printed is `N passed, N failed, N skipped`, counted from those lines, and the exit status is 1 if anything failed.
With --kinds it prints the builds that the suites need, and runs nothing.

Two suites run at a time, one of those that compute and one of those that wait for a network: each has a core, about. What
measures runs alone, at the end. Ctrl-C ends them, and they clean up.
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# lane: name: (folder under test/ and what its run is told, the build it tests, or None, seconds it may take)
LANES = {
    'computes': {
        'house': ('house', None, 60),
        'unit': ('unit', 'asan', 1200),
        'unit-ike': ('unit unit-ike', 'release', 900),
        'oracle': ('oracle', 'release', 420),
        'malformed': ('malformed', 'asan', 300),
    },
    'waits': {
        'demo': ('demo', 'release', 180),
        'daemon': ('daemon', 'release', 240),
        'faq': ('faq', 'release', 240),
        'ike': ('ike', 'release', 900),
        'interop': ('interop', 'release', 420),
    },
    'alone': {  # behind the others: it wants the machine for itself
        'bench-smoke': ('bench', 'release', 120),
    },
}
SUITES = {name: suite for lane in LANES.values() for name, suite in lane.items()}

SPEAKING = threading.Lock()
RUNNING = set()  # suites' processes
ENDED = threading.Event()  # by Ctrl-C

RESULT = re.compile(r'(ok|not ok|skip) (\S.*)')


class Tally:
    """What a suite said: counts by kind of line, and the lines that failed."""

    def __init__(self):
        self.counts = {'ok': 0, 'not ok': 0, 'skip': 0}
        self.failures = []

    def take(self, line):
        """Counts `line` if it is a result; every other line is only talk."""
        found = RESULT.fullmatch(line)
        if found:
            self.counts[found.group(1)] += 1
            if found.group(1) == 'not ok':
                self.failures.append(found.group(2))

    def add(self, other):
        for kind, count in other.counts.items():
            self.counts[kind] += count
        self.failures += other.failures

    def __str__(self):
        return '{ok} passed, {not ok} failed, {skip} skipped'.format_map(self.counts)


def say(line):
    with SPEAKING:
        print(line, flush=True)


def run_suite(name, command, environment, seconds):
    """Runs `command`, shows its lines as they come behind its name, and returns their Tally. A suite that ends with a failure
    it did not print, says nothing at all, or takes longer than `seconds` has failed once more."""
    tally = Tally()

    def take(line):
        say(f'  {name}: {line}')
        tally.take(line)

    process = subprocess.Popen(command, cwd=HOUSE, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    RUNNING.add(process)
    late = threading.Event()

    def end():  # SIGTERM first: suites clean up their namespaces and guests; the whole session, should one not listen
        late.set()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)

    clock = threading.Timer(seconds, end)
    clock.start()
    for line in process.stdout:
        take(line.decode(errors='replace').rstrip('\n'))
    status = process.wait()
    clock.cancel()
    RUNNING.discard(process)

    if late.is_set():
        take(f'not ok the suite ends in time - it was stopped after {seconds} s')
    elif status != 0 and not tally.failures:
        take(f'not ok the suite ends well - it ended with status {status}')
    elif not any(tally.counts.values()):
        take('not ok the suite has results - it printed none')
    return tally


def run_named(name):
    words, kind, seconds = SUITES[name]
    folder, *told = words.split()
    command = os.path.join(HOUSE, 'test', folder, 'run')
    say(f'== {name}')
    if not os.path.exists(command):
        tally = Tally()
        line = f'skip {name} - there is no test/{folder}/run'
        say(f'  {line}')
        tally.take(line)
        return tally
    build = os.path.join(HOUSE, 'build', kind) if kind else ''
    start = time.monotonic()
    tally = run_suite(name, [command, *told], {'TORII_BUILD': build, 'PYTHONDONTWRITEBYTECODE': '1'}, seconds)
    say(f'== {name}: {tally} ({time.monotonic() - start:.1f} s)')
    return tally


def run_lane(names, tallies):
    """Appends a Tally for each suite. One that cannot be run has failed: a thread's exception would go unseen."""
    for name in names:
        if ENDED.is_set():
            return
        try:
            tallies.append(run_named(name))
        except Exception as error:  # pylint: disable=broad-except
            line = f'not ok {name} can be run - {error}'
            say(f'  {line}')
            tallies.append(Tally())
            tallies[-1].take(line)


def main(arguments):
    names = [a for a in arguments if a != '--kinds'] or list(SUITES)
    unknown = [n for n in names if n not in SUITES]
    if unknown:
        print(f'there is no suite {", ".join(unknown)}: there are {", ".join(SUITES)}', file=sys.stderr)
        return 2
    if '--kinds' in arguments:
        print(' '.join(sorted({SUITES[n][1] for n in names} - {None})))
        return 0
    total = Tally()
    tallies = []
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    *side_by_side, alone = ([n for n in lane if n in names] for lane in LANES.values())
    lanes = [threading.Thread(target=run_lane, args=(lane, tallies)) for lane in side_by_side]
    for lane in lanes:
        lane.start()
    try:
        for lane in lanes:
            lane.join()
        run_lane(alone, tallies)
    except KeyboardInterrupt:
        ENDED.set()
        for process in list(RUNNING):
            process.terminate()
        for lane in lanes:
            lane.join()
        return 130
    for tally in tallies:
        total.add(tally)
    for failure in total.failures:
        say(f'failed: {failure}')
    say(str(total))
    return 1 if total.failures else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
