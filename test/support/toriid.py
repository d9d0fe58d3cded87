"""A toriid as a process in a network namespace, and the torii that speaks to it."""
import json
import os
import subprocess
import time

from places import Wrong, run


class Toriid:
    """A toriid that runs `configuration` in `place`, and listens at `control_socket`. It starts at once."""

    def __init__(self, network, place, build, configuration, control_socket):
        self.network, self.place = network, place
        self.command, self.socket = os.path.join(build, 'cli', 'torii'), control_socket
        self.log = configuration + '.log'
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                ['ip', 'netns', 'exec', network.name(place), os.path.join(build, 'app', 'toriid'), '--config', configuration],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def wait_until_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while 'toriid: ready' not in self.said().splitlines():
            if self.process.poll() is not None:
                raise Wrong(f'toriid ended with status {self.process.returncode}: {self.said()[-400:]}')
            if time.monotonic() > end:
                raise Wrong(f'toriid was not ready after {seconds} s: {self.said()[-400:]}')
            time.sleep(0.05)

    def open_host_port(self):
        """Nobody behind the host port torii0 completes checksums; the address and the routes there are toriid's work."""
        self.network.inside(self.place, 'ethtool', '-K', 'torii0', 'tx', 'off')

    def said(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()

    def torii(self, *words, **options):
        """What the one-shot command prints; it must succeed."""
        return run(self.command, '--socket', self.socket, *words, **options).decode()

    def setkey(self, statements):
        """Has the gateway apply the statements, as one transaction."""
        self.torii('setkey', '-c', input=statements.encode())

    def drops(self):
        """How many packets were dropped so far, by reason; the reasons of none are left out."""
        return {row['reason']: row['total'] for row in json.loads(self.torii('show', 'drops', '--json')) if row['total']}

    def children(self, connection=None):
        """The pairs of SAs that IKE has made, of one connection or of all."""
        rows = json.loads(self.torii('show', 'child', '--json'))
        return [r for r in rows if r['number'] and connection in (None, r['connection'])]

    def close(self):
        """Ends toriid; raises Wrong if it had to be killed or ended badly. Does nothing the second time."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if status != 0:
            raise Wrong(f'toriid was asked to end, and ended with status {status}: {self.said()[-300:]}')
