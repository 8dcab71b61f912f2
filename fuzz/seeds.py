#!/usr/bin/env python3
"""seeds.py: the raw-byte cases of tests/wire as seeds for the fuzz targets, in fuzz/corpus.

Each target takes a few bytes that choose its settings in front of the raw ones; here they choose the
plainest. The notation of the cases is told in tests/relay/harness/case.rs.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAIN = {'r': b'\r', 'n': b'\n', 't': b'\t', '0': b'\0', '\\': b'\\'}
ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|\{(\d+)\*(.*?)\}|([rnt0\\]))')


def unescape(text):
    raw, end = b'', 0
    for found in ESCAPE.finditer(text):
        byte, times, what, plain = found.groups()
        raw += text[end:found.start()].encode()
        if byte:
            raw += bytes.fromhex(byte)
        elif times:
            raw += unescape(what) * int(times)
        else:
            raw += PLAIN[plain]
        end = found.end()
    return raw + text[end:].encode()


def write(target, name, prefix, raw):
    folder = ROOT / 'fuzz/corpus' / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(prefix + raw)


for path in sorted((ROOT / 'tests/wire').glob('*/*/*')):
    kind, family = path.relative_to(ROOT / 'tests/wire').parts[:2]
    raw = unescape(path.read_text().split('\n---\n', 1)[1].replace('\n', ''))
    seed = f'{kind}-{family}-{path.stem}'
    if kind == 'requests':
        write('request_head', seed, bytes(5), raw)
    else:
        write('response_head', seed, bytes(5), raw)
    body = raw.partition(b'\r\n\r\n')[2]
    if body:
        # Chunked, of a request or of an answer, and no cuts.
        write('chunked_body', seed, b'\xff\0' if kind == 'requests' else b'\x10\0', body)
