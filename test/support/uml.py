"""A real Linux kernel as a peer: Debian's user-mode-linux runs as an ordinary process, with its own net/xfrm, in 2-3 s.

    with Guest(namespace, tap) as guest:              # the tap exists in the namespace, on a bridge
        guest.check('ip addr add 20.0.0.2/24 dev eth0')

Its root is a small archive made once into build/uml: busybox, ip, ethtool, udp-encap, the kernel modules of IPsec, guest_init,
and guest-agent, which does what a serial line says. A guest may carry more (`Cargo`: an IKE daemon and its libraries), in an archive of its own, and
files of one run. Nothing of the host's files is mounted in the guest. A guest belongs to the process that made it and is ended by
its own process group; `Unavailable` says why there can be none on this machine.
"""
import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILT = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'build', 'uml')
KERNEL = '/usr/bin/linux.uml'
MODULES = '/usr/lib/uml/modules'
PROGRAMS = ['ip', 'ethtool']
OURS = [os.path.join(os.environ['TORII_BUILD'], 'test', 'interop', name) for name in ('udp-encap', 'guest-agent')]
# What the cases need; what these depend on is found in modules.dep. AES, SHA and MD5 are built into the kernel;
# the IV generators draw from the kernel's DRBG, which is made of HMAC-SHA-512.
WANTED = ['esp4', 'ah4', 'ipcomp', 'xfrm4_tunnel', 'ipv6', 'esp6', 'ah6', 'ipcomp6', 'xfrm6_tunnel', 'deflate', 'xfrm_user', 'dummy', 'ipip', 'sit', 'ip6_tunnel', 'authenc', 'authencesn', 'hmac', 'sha512_generic', 'jitterentropy_rng', 'drbg', 'echainiv', 'seqiv',
          'gcm', 'ghash-generic', 'ctr', 'cbc', 'des_generic', 'blowfish_generic', 'camellia_generic']
BOOT_SECONDS = 60
# The guest's serial line loses long input: its terminal buffers 4,096 octets and nobody tells the sender to wait.
COMMAND_OCTETS_MAX = 2000


class Cargo:
    """What a guest has beyond the plain one. `files`: path there -> path here, and the libraries that these load come along;
    `modules` of the kernel. What lies under the folder `root` here stands under / there."""

    def __init__(self, name, files, modules=(), root=''):
        self.name, self.files, self.modules, self.root = name, files, list(modules), root

    def place(self, path):
        """Where a library of this machine is in the guest."""
        return path.removeprefix(self.root) if self.root else path


PLAIN = Cargo('', {})


class Unavailable(Exception):
    """There can be no guest here; the text says why."""


class Failed(Exception):
    """The guest did not do what it was asked to; the text says what."""


def modules_folder():
    versions = sorted(os.listdir(MODULES)) if os.path.isdir(MODULES) else []
    if not versions:
        raise Unavailable('the package user-mode-linux has no modules here')
    return os.path.join(MODULES, versions[-1])


def module_files(folder, more):
    """The files of WANTED, of `more` and of all they depend on, each after what it depends on. A wanted one that is no file is built in."""
    depends = {}
    with open(os.path.join(folder, 'modules.dep'), encoding='ascii') as file:
        for line in file:
            module, _, needs = line.partition(':')
            depends[module] = needs.split()
    by_name = {os.path.basename(path)[:-len('.ko')].replace('-', '_'): path for path in depends}
    order = []

    def take(path):
        for needed in depends[path]:
            take(needed)
        if path not in order:
            order.append(path)

    for name in [*WANTED, *more]:
        if name.replace('-', '_') in by_name:
            take(by_name[name.replace('-', '_')])
    return [os.path.join(folder, path) for path in order]


def shared_libraries(program, root=''):
    """The files that the dynamic loader maps for `program`, the loader among them; those under `root` come before the machine's."""
    with open(program, 'rb') as file:
        if file.read(4) != b'\x7fELF':
            return []
    path = f'{root}/usr/lib/{sysconfig.get_config_var("MULTIARCH")}' if root else ''
    # A static program has none, and ldd calls that a failure.
    listed = subprocess.run(['ldd', program], capture_output=True, text=True, check=False, env={**os.environ, 'LD_LIBRARY_PATH': path}).stdout
    if 'not found' in listed:
        raise Unavailable(f'{os.path.basename(program)} wants libraries that are not here: {listed}')
    return re.findall(r'(/\S+) \(0x', listed)


def fill(root, cargo):
    """Puts all that the guest is into the folder `root`."""
    def put(source, target):
        target = root + target
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.realpath(source), target)

    put('/bin/busybox', '/bin/busybox')
    put(os.path.join(HERE, 'guest_init'), '/init')
    os.chmod(root + '/init', 0o755)
    for program in [*map(shutil.which, PROGRAMS), *OURS]:
        put(program, f'/usr/sbin/{os.path.basename(program)}')
        for library in shared_libraries(program):
            put(library, library)
    libraries = set()
    for there, here in cargo.files.items():
        put(here, there)
        libraries.update(shared_libraries(here, cargo.root))
    for library in libraries:
        put(library, cargo.place(library))
    modules = module_files(modules_folder(), cargo.modules)
    for path in modules:
        put(path, '/modules/' + os.path.basename(path))
    with open(root + '/modules.list', 'w', encoding='ascii') as file:
        file.writelines(f'/modules/{os.path.basename(path)}\n' for path in modules)


def pack(tree, file):
    """Writes the folder `tree` into the open `file`, in the form that the kernel unpacks at start."""
    subprocess.run('find . | cpio --quiet -o -H newc', shell=True, cwd=tree, stdout=file, check=True)


def missing():
    """Why there can be no guest here, in words; None if there can be."""
    return None if os.access(KERNEL, os.X_OK) else 'the package user-mode-linux is not installed'


def archive(cargo=PLAIN):
    """The guest's root file system as an initramfs, made when there is none or what it is made from is newer."""
    if why := missing():
        raise Unavailable(why)
    path = os.path.join(BUILT, os.path.basename(modules_folder()) + (f'-{cargo.name}' if cargo.name else '') + '.cpio')
    sources = [os.path.join(HERE, 'uml.py'), os.path.join(HERE, 'guest_init'), KERNEL, *OURS, *cargo.files.values()]
    listed = f'{path}.files'
    told = repr([cargo.files, cargo.modules])
    if os.path.exists(path) and all(os.path.getmtime(path) > os.path.getmtime(s) for s in sources) and read(listed) == told:
        return path
    os.makedirs(BUILT, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        fill(folder + '/tree', cargo)
        made = folder + '/archive'
        with open(made, 'wb') as file:
            pack(folder + '/tree', file)
        with open(listed, 'w', encoding='utf-8') as file:
            file.write(told)
        os.replace(made, path)
    return path


def read(path):
    """What is in this file; nothing if there is none."""
    if not os.path.exists(path):
        return ''
    with open(path, encoding='utf-8') as file:
        return file.read()


def root_of_one_run(folder, cargo, files):
    """The archive for one guest: the kernel unpacks one behind the other, and `files` (path there -> text or octets) come last."""
    if not files:
        return archive(cargo)
    tree = folder + '/tree'
    for there, text in files.items():
        os.makedirs(os.path.dirname(tree + there), exist_ok=True)
        with open(tree + there, 'wb', opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text if isinstance(text, bytes) else text.encode())
    with open(os.path.join(folder, 'whole.cpio'), 'wb') as whole:
        with open(archive(cargo), 'rb') as first:
            shutil.copyfileobj(first, whole)
        whole.flush()
        pack(tree, whole)
    return os.path.join(folder, 'whole.cpio')


class Guest:
    """One running kernel with a network card, eth0, on the tap `tap` of the network namespace `namespace`, and eth1 and so on, on
    those of `more_taps`."""

    def __init__(self, namespace, tap, mac='02:00:5e:00:53:02', memory_megabytes=128, more_taps=(), cargo=PLAIN, files=None):
        self.folder = tempfile.mkdtemp(prefix='torii-uml-')
        try:
            root = root_of_one_run(self.folder, cargo, files)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.line, theirs = socket.socketpair()
        self.received = b''
        self.number = 0
        serial = theirs.fileno()
        # The kernel keeps the guest's memory in a file that it maps executable: /dev/shm is memory, and lets it.
        environment = {**os.environ, 'TMPDIR': '/dev/shm' if os.access('/dev/shm', os.W_OK) else self.folder}
        with open(self.folder + '/console', 'wb') as console, theirs:
            self.process = subprocess.Popen(
                ['ip', 'netns', 'exec', namespace, KERNEL, f'mem={memory_megabytes}M', f'initrd={root}', 'rdinit=/init',
                 f'uml_dir={self.folder}/', 'umid=guest', 'con=null', 'con0=null,fd:1', 'ssl=null',
                 f'ssl0=fd:{serial},fd:{serial}',
                 'quiet', 'panic=-1', 'cryptomgr.notests',
                 *(f'vec{n}:transport=tap,ifname={name},mac={mac[:-2]}{int(mac[-2:], 16) + n:02x},depth=128'
                   for n, name in enumerate([tap, *more_taps]))],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, pass_fds=[serial], env=environment,
                start_new_session=True)
        try:
            self._wait_until_ready()
        except BaseException:  # also when this process is asked to end meanwhile: the guest must not outlive it
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def console(self):
        """What the kernel has printed so far."""
        with open(self.folder + '/console', errors='replace', encoding='utf-8') as file:
            return file.read()

    def run(self, command, seconds=20):
        """Runs a shell command in the guest; returns (status, output). Raises Failed if it takes longer than `seconds`."""
        text = command.encode()
        if len(text) > COMMAND_OCTETS_MAX:
            raise ValueError('this command is too long for the serial line: make several of it')
        self.number += 1
        self.line.sendall(b'%d %d\n%s' % (self.number, len(text), text))
        end = time.monotonic() + seconds
        while True:
            number, status, octets = map(int, self._line(end - time.monotonic()).split())
            output = self._octets(octets, end - time.monotonic())
            if number == self.number:  # else what a command said that took too long
                return status, output.decode(errors='replace')

    def check(self, command, seconds=20):
        """Runs a shell command that must succeed; returns its output."""
        status, output = self.run(command, seconds)
        if status != 0:
            raise Failed(f'in the guest: `{command}` ended with {status}: {output.strip()}')
        return output

    def check_all(self, commands):
        """Runs shell commands, all of which must succeed, in few lines: each line costs the guest a shell."""
        line = ''
        for command in commands:
            if line and len(line) + len(command) > COMMAND_OCTETS_MAX - 4:
                self.check(line)
                line = ''
            line += (' && ' if line else '') + command
        if line:
            self.check(line)

    def write(self, path, text):
        """Puts a text into a file of the guest, anew."""
        size = COMMAND_OCTETS_MAX // 2
        for start in range(0, len(text), size):
            piece = text[start:start + size].replace("'", "'\\''")
            self.check(f"printf %s '{piece}' {'>' if start == 0 else '>>'}{path}")
        self.check(f'chmod 600 {path}')

    @contextlib.contextmanager
    def held(self):
        """Within it the guest stands still, as one whose power is gone."""
        os.kill(self.process.pid, signal.SIGSTOP)  # the kernel alone: it would not understand what had stopped its processes
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        """Ends the guest and removes its files. May be called twice."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGTERM)
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # the kernel's helper processes; it has a session to itself
        except ProcessLookupError:
            pass
        self.process.wait()
        self.line.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_ready(self):
        try:
            while self._line(BOOT_SECONDS) != b'ready':
                pass
        except Failed as error:
            raise Failed(f'the guest did not boot: {error}; its console ends with: {self.console()[-300:]}') from error

    def _line(self, seconds):
        """The next line from the guest, without its end."""
        end = time.monotonic() + seconds
        while b'\n' not in self.received:
            self._receive(end)
        line, _, self.received = self.received.partition(b'\n')
        return line.strip(b'\r')

    def _octets(self, count, seconds):
        """So many octets from the guest."""
        end = time.monotonic() + seconds
        while len(self.received) < count:
            self._receive(end)
        octets, self.received = self.received[:count], self.received[count:]
        return octets

    def _receive(self, end):
        left = end - time.monotonic()
        if left <= 0 or not select.select([self.line], [], [], left)[0]:
            raise Failed('it said nothing in time')
        octets = self.line.recv(65536)
        if not octets:
            raise Failed('it ended')
        self.received += octets
