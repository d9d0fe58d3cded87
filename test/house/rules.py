"""The rules of the tree, each a function from the top folder of a tree to the list of its violations (`file:line: why`).

They read files and nothing else, so that test/house/run can plant a violation in a tree of its own and see it found.
"""
import os
import re

# Who may include whom (docs/architecture.md): a room sees the floors below its own, never its neighbours.
FLOORS = [
    ['base'],
    ['net'],
    ['crypto', 'policy'],
    ['control', 'sa'],
    ['packet'],
    ['ip', 'forward', 'filter', 'observe'],
    ['transform'],
    ['esp', 'ah', 'ipcomp'],
    ['dataplane'],
    ['gateway'],
]
BELOW = {room: sum(FLOORS[:level], []) for level, floor in enumerate(FLOORS) for room in floor}
ROOMS = list(BELOW)
SEES = {
    **BELOW,
    'app': ROOMS + ['ike'],
    'ike': ['base', 'net', 'policy/selector', 'control'],
    'cli': ['base'],
    'socket': ['base', 'net', 'policy/policy', 'policy/selector', 'cli/json'],
}
WITHOUT_DPDK = ['base', 'net', 'crypto', 'policy', 'control', 'ike', 'cli', 'socket']
# Ten seconds of compile time each, so they stay in the few .cc files that need them.
SLOW_HEADERS = re.compile(r'(nlohmann|spdlog|CLI)/')

LINES_MAX = 600

CODE = ('.h', '.cc', '.py', '.sh', '.build')
NOT_OURS = {'.git', '.cache', '__pycache__'}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')

# A link, and behind it perhaps the title of a test that the file is said to have.
LINK = re.compile(r'\]\(([^)\s]+)\)(?: "([^"]+)")?')
# The same in the last cell of a row of docs/conformance.md, where several titles may follow one link.
CITED = re.compile(r'\]\(([^)\s]+)\)|"([^"]+)"')
ANCHOR = re.compile(r'<a id="([^"]+)">')
HEADING = re.compile(r'#+ (.*)')
DROP_NAMED = re.compile(r'\bDrop::(\w+)')
DROP_DEFINED = re.compile(r'\bX\((\w+),')

# These patterns do not match their own text.
MACHINE_PATH = re.compile(r'(?<![\w./$}-])/(?:work|farm|root|home)(?![\w-])')
REGISTRY = re.compile(r'(?:deb|security|snapshot|ftp)[.]debian[.]org|pypi[.]org|pythonhosted[.]org|registry[.]npmjs|'
                      r'crates[.]io|proxy[.]golang[.]org|[.]pkg[.]dev\b|docker[.]io')


def files(top):
    """Every file of the tree, relative to `top`, but for builds and what tools leave behind."""
    for folder, folders, names in os.walk(top):
        inside = os.path.relpath(folder, top)
        folders[:] = sorted(f for f in folders if f not in NOT_OURS and not (inside == '.' and f.startswith('build')))
        for name in sorted(names):
            if name != '.git':
                yield os.path.normpath(os.path.join(inside, name))


def lines(top, path):
    """The numbered lines of a text file; none for one that is not text."""
    with open(os.path.join(top, path), 'rb') as file:
        octets = file.read()
    if b'\0' in octets:
        return []
    return list(enumerate(octets.decode(errors='replace').splitlines(), 1))


def room_of(path):
    """The room a source file is in: lib/esp/wire.h is in esp, app/rpc/server.cc in app; None outside the house."""
    parts = path.split('/')
    if parts[0] == 'lib' and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in ('app', 'ike', 'cli', 'socket') else None


def resolve(top, includer, included):
    """The file that `#include "included"` means, seen from lib/, from the top, or from its own folder; None if none."""
    for start in ('lib', '.', os.path.dirname(includer)):
        path = os.path.normpath(os.path.join(start, included))
        if os.path.isfile(os.path.join(top, path)):
            return path
    return None


def may_include(room, target):
    """True if files of `room` may include the file `target`."""
    if room_of(target) == room or room_of(target) in SEES[room]:
        return True
    return any('/' in seen and target.startswith((f'lib/{seen}.', f'{seen}.')) for seen in SEES[room])


def bad_include(top, path, quoted, included):
    """Why this file may not include that header; None if it may."""
    room = room_of(path)
    if not quoted:
        if included.startswith('rte_') and room in WITHOUT_DPDK:
            return f'{room} knows no DPDK header, and this includes <{included}>'
        if path.endswith('.h') and SLOW_HEADERS.match(included):
            return f'<{included}> is slow to compile: include it in a .cc file only'
        return None
    target = resolve(top, path, included)
    if target is None:
        return f'"{included}" is no file of the tree'
    if not may_include(room, target):
        return f'{room} may not include {target}: it sees only {", ".join(SEES[room]) or "itself"}'
    return None


def includes(top):
    """Each room includes only what is below it."""
    for path in files(top):
        room = room_of(path)
        if room is None or not path.endswith(('.h', '.cc')):
            continue
        if room not in SEES:
            yield f'{path}:1: {room} is no room of the house: give it a floor in test/house/rules.py'
            continue
        for number, line in lines(top, path):
            found = INCLUDE.match(line)
            why = bad_include(top, path, found.group(1) == '"', found.group(2)) if found else None
            if why:
                yield f'{path}:{number}: {why}'


def of_one_machine(top):
    """No path of one machine and no host of a package registry is written down."""
    for path in files(top):
        for number, line in lines(top, path):
            found = MACHINE_PATH.search(line) or REGISTRY.search(line)
            if found:
                yield f'{path}:{number}: "{found.group(0)}" belongs to one machine, not to the project'


def lengths(top):
    """No source file is too long to be read."""
    for path in files(top):
        first = os.path.basename(path)
        if not path.endswith(CODE) and first != 'run':
            continue
        count = len(lines(top, path))
        if count > LINES_MAX:
            yield f'{path}:{LINES_MAX + 1}: {count} lines, and {LINES_MAX} are the most a file may have'


def anchors(top, path):
    """What `path#...` may name: the anchors of a page, and its headings in lower case with hyphens."""
    found = set()
    for _, line in lines(top, path):
        found.update(ANCHOR.findall(line))
        heading = HEADING.match(line)
        if heading:
            found.add(re.sub(r'[^\w -]', '', heading.group(1).lower()).replace(' ', '-'))
    return found


def bad_link(top, path, target, title):
    """Why this link of a page leads nowhere; None if it leads there, or out of the tree."""
    if re.match(r'\w+:', target):
        return None
    name, _, anchor = target.partition('#')
    there = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if not os.path.exists(os.path.join(top, there)):
        return f'there is no {there}'
    if anchor and anchor not in anchors(top, there):
        return f'{there} has no #{anchor}'
    if title and not any(title in line for _, line in lines(top, there)):
        return f'{there} has no "{title}"'
    return None


def links(top):
    """Every link of a page leads to a file that is there, to an anchor in it, and to the test it names."""
    for path in files(top):
        if not path.endswith('.md'):
            continue
        for number, line in lines(top, path):
            for target, title in LINK.findall(line):
                why = bad_link(top, path, target, title)
                if why:
                    yield f'{path}:{number}: {why}'


def drops(top):
    """Every Drop that a page names is in the table."""
    table = 'lib/packet/drop.h'
    there = {'none'}
    if os.path.exists(os.path.join(top, table)):
        there.update(name for _, line in lines(top, table) for name in DROP_DEFINED.findall(line))
    for path in files(top):
        if not path.endswith('.md'):
            continue
        for number, line in lines(top, path):
            for name in DROP_NAMED.findall(line):
                if name not in there:
                    yield f'{path}:{number}: {table} has no drop {name}'


def text_of(top, path):
    """A file as one string, with a literal that goes on in the next line joined."""
    return re.sub(r'[\'"]\s*\n\s*f?[\'"]', '', '\n'.join(line for _, line in lines(top, path)))


def conformance(top):
    """Every row of docs/conformance.md names a test that is there, in the file it links to or the row above did; `-` stands
    where there is nothing to show."""
    page = 'docs/conformance.md'
    if not os.path.exists(os.path.join(top, page)):
        return
    rows = [(number, line) for number, line in lines(top, page) if line.startswith('|')]
    heads = {number - 1 for number, line in rows if line.startswith('|---')}
    there = None  # the file that titles are looked for in
    for number, line in rows:
        shown_by = line.rstrip(' |').split(' | ')[-1]
        if number in heads or line.startswith('|---') or shown_by in ('-', 'the same'):
            continue
        named = 0
        for target, title in CITED.findall(shown_by):
            if target:
                there = os.path.normpath(os.path.join('docs', target.partition('#')[0]))
            elif not there or not os.path.exists(os.path.join(top, there)) or title not in text_of(top, there):
                yield f'{page}:{number}: {there} has no "{title}"'
            elif there.startswith('test/'):
                named += 1
        if not named:
            yield f'{page}:{number}: the row names no test'
