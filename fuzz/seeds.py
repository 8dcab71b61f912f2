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

V2 = b'\r\n\r\n\0\r\nQUIT\n'
ADDRESSES = bytes([192, 0, 2, 7, 198, 51, 100, 1, 0xc0, 1, 1, 0xbb])
for name, raw in {
    'tcp4': b'PROXY TCP4 192.0.2.7 198.51.100.1 49153 443\r\n',
    'tcp6': b'PROXY TCP6 2001:db8::7 ::1 65535 0\r\nGET',
    'unknown': b'PROXY UNKNOWN\r\n',
    'local': V2 + b'\x20\0\0\0',
    'proxied': V2 + b'\x21\x11\0\x0c' + ADDRESSES,
    'extended': V2 + b'\x21\x11\0\x13' + ADDRESSES + b'\x03\0\x04\xbc\xe5\x95\x1f',
}.items():
    write('preface', name, b'', raw)


def vector(content):
    return len(content).to_bytes(2, 'big') + content


def hello(extensions, record=1 << 14):
    front = b'\3\3' + bytes(32) + b'\4\1\2\3\4' + vector(b'\x13\1') + b'\1\0'
    body = front + vector(extensions)
    message = b'\1' + len(body).to_bytes(3, 'big') + body
    parts = [message[at:at + record] for at in range(0, len(message), record)]
    return b''.join(b'\x16\3\1' + vector(part) for part in parts)


def named(*names):
    return b'\0\0' + vector(vector(b''.join(b'\0' + vector(name) for name in names)))


VERSIONS = b'\0\x2b' + vector(b'\2\3\4')
for name, raw in {
    'plain': hello(VERSIONS + named(b'Db.Example.ORG')),
    'cut': hello(named(b'a.test') + VERSIONS, 20),
    'trickled': hello(named(b'a.test'), 1),
    'nameless': hello(VERSIONS),
    'two-names': hello(named(b'a.test', b'b.test')),
    'twice': hello(named(b'a.test') + named(b'b.test')),
    'address': hello(named(b'192.0.2.1')),
    'behind': hello(named(b'a.test')) + b'more',
    'no-tls': b'GET / HTTP/1.1\r\n\r\n',
}.items():
    write('client_hello', name, b'', raw)
