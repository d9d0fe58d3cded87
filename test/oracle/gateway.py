"""The gateway under test, as a process that obeys lines (driver.cc tells which)."""
import collections
import subprocess

OFFICE, WORLD, HOST = 0, 1, 2  # the last one where there is one
# Frames that arrive at once: what the worker takes in a turn.
BURST = 64


class Gone(Exception):
    """The driver has ended; the text says how."""


class Gateway:
    """A running driver. Used as a context manager, it is over at the end of the block."""

    def __init__(self, program, *words):
        self.ports = (OFFICE, WORLD, HOST) if 'host' in words else (OFFICE, WORLD)
        self.process = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.drops = collections.Counter()  # so far, by reason

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def close(self):
        """Ends the driver in order, or by force when it does not listen; returns its status."""
        try:
            self.process.communicate('quit\n', timeout=20)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self.process.kill()
        return self.process.wait()

    def ask(self, *lines):
        """The answers to all `lines`, which are written at once: on a busy machine each wait for an answer is long."""
        try:
            self.process.stdin.write('\n'.join(lines) + '\n')
            self.process.stdin.flush()
            answers = [self.process.stdout.readline() for _ in lines]
        except OSError:
            answers = ['']
        if not all(answers):
            raise Gone(f'the gateway ended with status {self.process.wait()} at: {lines[0][:80]}')
        return [answer.strip() for answer in answers]

    def setkey(self, *statements):
        self.ask('setkey ' + ' '.join(statements))

    def missing(self):
        return int(self.ask('missing')[0])

    def carry(self, port, frames):
        """Sends frames to `port`, in bursts; returns (what left by the office, by the world, to the host where there is one,
        a Counter of drops by reason)."""
        before = self.drops
        left = [[] for _ in self.ports]
        for start in range(0, len(frames), BURST):
            burst = ' '.join(frame.hex() for frame in frames[start:start + BURST])
            _, _, *sent, drops = self.ask(f'send {port} {burst}', 'turn 4', *(f'sent {side}' for side in self.ports), 'drops')
            for side in self.ports:
                left[side] += [bytes.fromhex(frame) for frame in sent[side].split()]
            words = (word.split('=') for word in drops.split())
            self.drops = collections.Counter({reason: int(count) for reason, count in words})
        return *left, self.drops - before
