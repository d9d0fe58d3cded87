"""The gateway under test, as a process that obeys lines (driver.cc tells which)."""
import collections
import subprocess

OFFICE, WORLD = 0, 1
# More frames at once than this, and the driver's rings or the caller's patience may overflow.
BURST = 64


class Gone(Exception):
    """The driver has ended; the text says how."""


class Gateway:
    """A running driver. Used as a context manager, it is over at the end of the block."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

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

    def ask(self, line):
        try:
            self.process.stdin.write(line + '\n')
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ''
        if not answer:
            raise Gone(f'the gateway ended with status {self.process.wait()} at: {line[:80]}')
        return answer.strip()

    def setkey(self, *statements):
        self.ask('setkey ' + ' '.join(statements))

    def drops(self):
        """What has been dropped so far: a Counter by reason."""
        words = (word.split('=') for word in self.ask('drops').split())
        return collections.Counter({reason: int(count) for reason, count in words})

    def missing(self):
        return int(self.ask('missing'))

    def carry(self, port, frames):
        """Sends frames to `port`, in bursts; returns (what left by the office, by the world, what was dropped why)."""
        before = self.drops()
        sent = [[], []]
        for start in range(0, len(frames), BURST):
            self.ask(f'send {port} ' + ' '.join(frame.hex() for frame in frames[start:start + BURST]))
            self.ask('turn 4')
            for side in OFFICE, WORLD:
                sent[side] += [bytes.fromhex(frame) for frame in self.ask(f'sent {side}').split()]
        return sent[OFFICE], sent[WORLD], self.drops() - before
