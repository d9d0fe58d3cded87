"""Prints which RFC sections the code cites and which of them a test cites too: what is cited nowhere in test/ has no named test.

A citation is written `RFC 4303 §3.4.3` or `RFC 4303 3.4.3`, an appendix `RFC 4303 App. A2`; `RFC 4303` alone cites the whole.
"""
import collections
import os
import re

HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CITATION = re.compile(r'RFC (\d{3,5})(?:,?\s*(?:§\s*|[Ss]ection\s+)?(\d+(?:\.\d+)+|(?<=§)\d+|App\. ?[A-Z]\d*))?')


def citations(folder):
    """{(rfc, section): [file:line]} of every source file under `folder`."""
    found = collections.defaultdict(list)
    for where, _, names in os.walk(os.path.join(HOUSE, folder)):
        for name in names:
            if not name.endswith(('.h', '.cc', '.py')) and name != 'run':
                continue
            path = os.path.join(where, name)
            with open(path, encoding='utf-8', errors='replace') as file:
                for number, line in enumerate(file, 1):
                    for rfc, section in CITATION.findall(line):
                        found[int(rfc), section].append(f'{os.path.relpath(path, HOUSE)}:{number}')
    return found


def order(key):
    rfc, section = key
    return rfc, [int(p) if p.isdigit() else 1000 for p in section.split('.')], section


def places(list_of_places):
    shown = ', '.join(list_of_places[:2])
    return shown + (f' and {len(list_of_places) - 2} more' if len(list_of_places) > 2 else '') if list_of_places else '-'


def main():
    code, tests = collections.defaultdict(list), citations('test')
    for folder in ('lib', 'app', 'ike', 'cli'):
        for key, where in citations(folder).items():
            code[key] += where
    print(f'{"RFC section":<22}{"code":<52} tests')
    for key in sorted(set(code) | set(tests), key=order):
        title = f'RFC {key[0]} {"§" if key[1][:1].isdigit() else ""}{key[1]}'
        print(f'{title:<22}{places(code[key]):<52} {places(tests[key])}')
    untested = sum(1 for key in code if not tests[key])
    print(f'{len(code)} cited in code, {untested} of them in no test')


if __name__ == '__main__':
    main()
