#!/usr/bin/env python3
"""growth.py: what many backends, routes and idle clients cost, beside few.

    benches/growth.py [--evenly PATH] [--backends 10000] [--pools 100] [--routes 1000]
                      [--clients 50000] [--requests 40000]

Starts Evenly several times with files that differ in one thing, and prints how long the start took,
what memory each thing needs, and what processor time a request costs with all of them beside the
same with one backend and no route. More clients than the limit of open files (ulimit -Hn) has room
for are not tried. Nothing is left running; all files are temporary.
"""

import argparse
import contextlib
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
CLIENTS_A_SOURCE = 10_000
REST_S = 0.5
# Open files beside those of clients.
ROOM = 1000


def main():
    arguments = parse()
    clients = min(arguments.clients, raise_limit(arguments.clients + ROOM) - ROOM)
    if clients < arguments.clients:
        print(f'only {clients} clients: more open files are not allowed here')
    with tempfile.TemporaryDirectory() as folder, backend(arguments) as port:
        few = Config(folder, 'few', port, 1, 1, 0)
        lone = Config(folder, 'pools', port, arguments.pools, arguments.pools, 1)
        routed = Config(folder, 'routes', port, arguments.pools, arguments.pools, arguments.routes)
        many = Config(folder, 'many', port, arguments.pools, arguments.backends, arguments.routes)
        with balancer(arguments, lone) as one:
            bare = one.memory()
        with balancer(arguments, routed) as one:
            a_route = (one.memory() - bare) / max(arguments.routes - 1, 1)
            with_routes = one.memory()
        with balancer(arguments, many) as one:
            a_backend = (one.memory() - with_routes) / (arguments.backends - arguments.pools)
            started = one.started_s
        with balancer(arguments, few) as one:
            before = one.memory()
            with idle(one.port, clients):
                a_client = (one.memory() - before) / clients
        costs = {}
        for _ in range(ROUNDS):
            for config in (few, many):
                costs.setdefault(config.name, []).append(cost_us(arguments, config))
        few_us, many_us = (statistics.median(costs[name]) for name in ('few', 'many'))
    print(f'start with {arguments.backends} backends, {arguments.pools} pools, '
          f'{arguments.routes} routes: {started:.2f} s')
    print(f'memory of a backend: {a_backend:.0f} B; of a route: {a_route:.0f} B; '
          f'of an idle client, of {clients}: {a_client:.0f} B')
    print(f'processor time of a request: {few_us:.1f} us with one backend, {many_us:.1f} us with '
          f'all of them: {many_us / few_us:.2f} times as much')


def raise_limit(wanted):
    """As many open files as are wanted, or may be had."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Config:
    """A file with so many pools, backends and routes. The last route leads to the last pool."""

    def __init__(self, folder, name, port, pools, backends, routes):
        self.name, self.path = name, os.path.join(folder, name + '.toml')
        self.host = f'h{routes - 1}.test' if routes else 'a.test'
        lines = ['server.listen = "127.0.0.1:0"', 'server.workers = 1', 'health.interval = "off"',
                 'limits.requests_per_connection = 0', 'server.max_connections = 60000']
        number = 0
        for pool in range(pools):
            prefix = ''
            if routes:
                lines.append(f'[[pools]]\nname = "pool{pool}"')
                prefix = 'pools.'
            for _ in range(backends // pools):
                ip = f'127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}'
                lines.append(f'[[{prefix}applications]]\nname = "app{number}"\nip = "{ip}"\n'
                             f'port = {port}')
                number += 1
        for route in range(routes):
            pool = (pools - routes + route) % pools
            lines.append(f'[[routes]]\nhost = "h{route}.test"\npath = "/health"\npool = "pool{pool}"')
        with open(self.path, 'w', encoding='ascii') as file:
            file.write('\n'.join(lines) + '\n')


class Balancer:
    def __init__(self, process, port, started_s):
        self.process, self.port, self.started_s = process, port, started_s

    def memory(self):
        """Bytes in use, once it has come to rest."""
        time.sleep(REST_S)
        with open(f'/proc/{self.process.pid}/smaps_rollup', encoding='ascii') as file:
            pss = next(line for line in file if line.startswith('Private_Dirty:'))
        return int(pss.split()[1]) * 1024

    def cpu_us(self):
        """What its threads have run."""
        folder, ran_ns = f'/proc/{self.process.pid}/task', 0
        for task in os.listdir(folder):
            with open(f'{folder}/{task}/schedstat', encoding='ascii') as file:
                ran_ns += int(file.read().split()[0])
        return ran_ns / 1000


@contextlib.contextmanager
def balancer(arguments, config):
    begun = time.monotonic()
    process = subprocess.Popen([arguments.evenly, 'serve', '-c', config.path],
                               stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if 'listening on' in line:
                port = int(line.split('listening on ')[1].split(': ')[0].rsplit(':', 1)[1])
                yield Balancer(process, port, time.monotonic() - begun)
                break
            if 'WARN' not in line and 'INFO' not in line:
                sys.exit(f'evenly: {line}')
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def backend(arguments):
    """One program behind all addresses of 127/8."""
    with socket.socket() as probe:
        probe.bind(('0.0.0.0', 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([arguments.evenly, 'backend', '--listen', f'0.0.0.0:{port}'],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def idle(port, count):
    """So many clients that have asked once and wait."""
    clients = []
    try:
        for number in range(count):
            client = socket.socket()
            client.bind((f'127.0.0.{2 + number // CLIENTS_A_SOURCE}', 0))
            client.connect(('127.0.0.1', port))
            client.sendall(b'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
            if not client.recv(4096).startswith(b'HTTP/1.1 200'):
                sys.exit(f'client {number} was not served')
            clients.append(client)
        yield
    finally:
        for client in clients:
            client.close()


def cost_us(arguments, config):
    """Processor time of the balancer for a request."""
    with balancer(arguments, config) as one:
        load = [arguments.evenly, 'bench', f'http://127.0.0.1:{one.port}/health', '--workers', '4',
                '--header', f'Host: {config.host}', '--requests']
        subprocess.run([*load, '2000'], check=True, stdout=subprocess.DEVNULL)
        before = one.cpu_us()
        subprocess.run([*load, str(arguments.requests)], check=True, stdout=subprocess.DEVNULL)
        return (one.cpu_us() - before) / arguments.requests


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--evenly', default='target/release/evenly')
    for name, default in (('backends', 10_000), ('pools', 100), ('routes', 1000),
                          ('clients', 50_000), ('requests', 40_000)):
        parser.add_argument(f'--{name}', type=int, default=default)
    return parser.parse_args()


if __name__ == '__main__':
    main()
