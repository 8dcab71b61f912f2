#!/usr/bin/env python3
"""peers.py: what a relayed request costs in Evenly, HAProxy and nginx, measured side by side.

    benches/peers.py [--only small,many,...] [--rounds 5] [--seconds 2] [--evenly PATH]

The figure to trust on a shared machine is the CPU time of the balancer for each request that was
answered: it counts what its threads ran (/proc/PID/task/*/schedstat), not what others made it wait.
Each balancer has one worker and CPU 0 to itself; wrk and the two nginx backends share CPU 1. Within
a round they take turns, so a ratio compares neighbours in time; what is printed are medians.

    small   keep-alive GET of a few bytes, 64 connections
    many    the same, 2000 connections
    close   a connection for each request, 64 at a time
    big     1 MiB bodies, 16 connections
    idle    memory of 9000 keep-alive connections that asked once and now wait

with each connection passed on unread (HAProxy's mode tcp, nginx's stream):

    tcp-close   a connection for each request, 64 at a time: what a connection costs
    tcp-big     1 MiB bodies, 16 connections: what a GB costs
    tcp-small   a few bytes back and forth, 64 connections

and the same as above with TLS 1.3 between wrk and the balancer (P-256, full handshakes): tls-small,
tls-close, tls-big, tls-idle.

Needs Debian's haproxy, nginx-light, libnginx-mod-stream (for tcp-), openssl and wrk. Nothing is left
running; all files are temporary.
"""

import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

# name: path, connections, connection per request, what it is
SCENARIOS = {
    'small': ('/', 64, False, 'keep-alive GET of a few bytes, 64 connections'),
    'many': ('/', 2000, False, 'keep-alive GET of a few bytes, 2000 connections'),
    'close': ('/', 64, True, 'a connection for each request, 64 at a time'),
    'big': ('/1m', 16, False, '1 MiB bodies, 16 connections'),
    'tcp-close': ('/', 64, True, 'passed on unread: a connection for each request, 64 at a time'),
    'tcp-big': ('/1m', 16, False, 'passed on unread: 1 MiB bodies, 16 connections'),
    'tcp-small': ('/', 64, False, 'passed on unread: a few bytes, 64 connections'),
    'tls-small': ('/', 64, False, 'keep-alive GET of a few bytes over TLS, 64 connections'),
    'tls-close': ('/', 64, True, 'a TLS handshake for each request, 64 at a time'),
    'tls-big': ('/1m', 16, False, '1 MiB bodies over TLS, 16 connections'),
}
TCP = 'tcp-'
IDLE = ['idle', 'tls-idle']
TLS = 'tls-'
IDLE_CONNECTIONS = 9000
WARM_UP_SECONDS = 1

BALANCER_CPU, LOAD_CPU = 0, 1

NGINX = '''
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log stderr crit;
events {{ worker_connections 19000; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
'''

NGINX_BACKEND = '''
    server {{
        listen 127.0.0.1:{port} backlog=4096; root {folder}/www;
        location = / {{ return 200 "hello\\n"; }} location = /health {{ return 200 "ok\\n"; }}
    }}
'''

NGINX_BALANCER = '''
    upstream backends {{ {backends} keepalive 256; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096 {tls};
        location / {{
            proxy_pass http://backends; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
'''

NGINX_STREAM = '''
load_module {module};
daemon off; worker_processes 1; pid {folder}/nginx-tcp.pid; error_log stderr crit;
events {{ worker_connections 19000; }}
stream {{
    upstream backends {{ {backends} }}
    server {{
        listen 127.0.0.1:{port} backlog=4096; proxy_pass backends; proxy_timeout 600s;
        tcp_nodelay on;
    }}
}}
'''

HAPROXY_TCP = '''
global
    maxconn 9900
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend clients
    bind 127.0.0.1:{port} backlog 4096
    default_backend backends
backend backends
    balance roundrobin
{backends}
'''

EVENLY_TCP = '''
{backends}
[server]
workers = 1
max_connections = 20000

[log]
access = "off"

[[listeners]]
listen = "127.0.0.1:{port}"
mode = "tcp"
'''

HAPROXY = '''
global
    maxconn 9900
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 60s
    http-reuse always
    option forwardfor
    option httpchk GET /health
frontend clients
    bind 127.0.0.1:{port} backlog 4096 {tls}
    default_backend backends
backend backends
    balance roundrobin
{backends}
'''

EVENLY = '''
{backends}
[server]
listen = "127.0.0.1:{port}"
workers = 1
max_connections = 20000

[timeouts]
keep_alive = "600s"

[limits]
requests_per_connection = 0

[log]
access = "off"

[admin]
listen = "off"
{tls}
'''

# What each says to speak TLS. HAProxy wants certificate and key in one file, which suits all.
SPEAK_TLS = {
    'nginx': 'ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3',
    'haproxy': 'ssl crt {pem} ssl-min-ver TLSv1.2',
    'evenly': '[tls]\ncertificates = ["{pem}"]',
}


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.cpu_count() < 2:
        sys.exit('peers: two CPUs are needed, one of them for the balancer alone')
    raise_descriptor_limit()
    tools = {name: find(name) for name in ('haproxy', 'nginx', 'openssl', 'wrk')}
    with tempfile.TemporaryDirectory(prefix='peers-') as folder:
        os.chmod(folder, 0o755)    # nginx's worker is another user
        plain, secured, backend_config = prepare(folder, tools, options.evenly)
        passing = {}
        if any(name.startswith(TCP) for name in options.only):
            passing = configure_tcp(folder, tools, options.evenly, backend_config[2])
        describe(tools, options.evenly)
        backend = Process([tools['nginx'], '-c', backend_config[0]], backend_config[1], LOAD_CPU)
        with backend:
            for name in options.only:
                balancers = secured if name.startswith(TLS) else plain
                balancers = passing if name.startswith(TCP) else balancers
                if name in IDLE:
                    measure_idle(name, balancers)
                else:
                    measure_load(name, balancers, tools['wrk'], options)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*SCENARIOS, *IDLE]
    parser.add_argument('--only', default=known, type=lambda text: text.split(','))
    parser.add_argument('--rounds', default=5, type=int)
    parser.add_argument('--seconds', default=2, type=int)
    parser.add_argument('--evenly', default='target/release/evenly', type=os.path.abspath)
    options = parser.parse_args()
    for name in options.only:
        if name not in known:
            parser.error(f'no scenario {name}; there are {", ".join(known)}')
    if not os.access(options.evenly, os.X_OK):
        parser.error(f'no {options.evenly}; make build')
    return options


def find(tool):
    path = shutil.which(tool) or shutil.which(tool, path='/usr/sbin:/usr/local/sbin')
    package = {'nginx': 'nginx-light'}.get(tool, tool)
    return path or sys.exit(f'peers: no {tool} here; apt-get install {package}')


def raise_descriptor_limit():
    wanted = 2 * IDLE_CONNECTIONS + 2000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


# --- configurations

def prepare(folder, tools, evenly):
    """Writes all files. Returns the balancers and those that speak TLS, each name to command and
    port, and the backends' file and one of their ports."""
    os.mkdir(f'{folder}/www')
    with open(f'{folder}/www/1m', 'wb') as file:
        file.write(os.urandom(1 << 20))
    backends = free_ports(2)
    servers = [NGINX_BACKEND.format(port=port, folder=folder) for port in backends]
    backend_file = write(folder, 'backend', NGINX.format(
        folder=folder, name='backend', servers=''.join(servers)))
    pem = make_certificate(folder, tools['openssl'])
    speak_tls = {name: text.format(pem=pem) for name, text in SPEAK_TLS.items()}
    plain = configure(folder, tools, evenly, backends, dict.fromkeys(SPEAK_TLS, ''))
    secured = configure(folder, tools, evenly, backends, speak_tls)
    return plain, secured, (backend_file, backends[0], backends)


def configure(folder, tools, evenly, backends, tls):
    ports = dict(zip(tls, free_ports(len(tls))))
    kind = 'tls' if any(tls.values()) else 'plain'
    nginx = NGINX.format(folder=folder, name=f'nginx-{kind}', servers=NGINX_BALANCER.format(
        tls=tls['nginx'], port=ports['nginx'],
        backends=' '.join(f'server 127.0.0.1:{port};' for port in backends)))
    haproxy = HAPROXY.format(tls=tls['haproxy'], port=ports['haproxy'], backends='\n'.join(
        f'    server b{port} 127.0.0.1:{port} check inter 5s' for port in backends))
    ours = EVENLY.format(tls=tls['evenly'], port=ports['evenly'], backends='\n'.join(
        f'[[applications]]\nip = "127.0.0.1"\nport = {port}' for port in backends))
    commands = {
        'evenly': [evenly, 'serve', '-c', write(folder, f'evenly-{kind}', ours)],
        'haproxy': [tools['haproxy'], '-f', write(folder, f'haproxy-{kind}', haproxy)],
        'nginx': [tools['nginx'], '-c', write(folder, f'nginx-{kind}', nginx)],
    }
    return {name: (command, ports[name]) for name, command in commands.items()}


def configure_tcp(folder, tools, evenly, backends):
    module = find_stream_module()
    names = ['evenly', 'haproxy', 'nginx']
    ports = dict(zip(names, free_ports(len(names))))
    nginx = NGINX_STREAM.format(
        folder=folder, module=module, port=ports['nginx'],
        backends=' '.join(f'server 127.0.0.1:{port};' for port in backends))
    haproxy = HAPROXY_TCP.format(port=ports['haproxy'], backends='\n'.join(
        f'    server b{port} 127.0.0.1:{port} check inter 5s' for port in backends))
    ours = EVENLY_TCP.format(port=ports['evenly'], backends='\n'.join(
        f'[[applications]]\nip = "127.0.0.1"\nport = {port}' for port in backends))
    commands = {
        'evenly': [evenly, 'serve', '-c', write(folder, 'evenly-tcp', ours)],
        'haproxy': [tools['haproxy'], '-f', write(folder, 'haproxy-tcp', haproxy)],
        'nginx': [tools['nginx'], '-c', write(folder, 'nginx-tcp', nginx)],
    }
    return {name: (command, ports[name]) for name, command in commands.items()}


def find_stream_module():
    folders = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/etc/nginx/modules']
    found = [f'{folder}/ngx_stream_module.so' for folder in folders]
    package = 'libnginx-mod-stream'
    return next(filter(os.path.exists, found), None) or sys.exit(
        f'peers: nginx has no stream module here; apt-get install {package}')


def make_certificate(folder, openssl):
    """A file with a key on P-256 and a certificate that nobody has signed."""
    pem = f'{folder}/site.pem'
    command = [openssl, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
               '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', f'{folder}/key.pem',
               '-out', pem]
    subprocess.run(command, check=True, capture_output=True)
    with open(pem, 'a') as file:
        file.write(read(f'{folder}/key.pem'))
    return pem


def write(folder, name, text):
    path = f'{folder}/{name}.conf'
    with open(path, 'w') as file:
        file.write(text)
    return path


def free_ports(count):
    """Ports that nobody listens on. All are held until the last is found, so they differ."""
    with contextlib.ExitStack() as stack:
        servers = (socket.create_server(('127.0.0.1', 0)) for _ in range(count))
        sockets = [stack.enter_context(server) for server in servers]
        return [each.getsockname()[1] for each in sockets]


def describe(tools, evenly):
    def first_line(command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return next(iter((done.stdout + done.stderr).splitlines()), '?')
    with open('/proc/cpuinfo') as file:
        model = re.search(r'model name\s*: (.*)', file.read())
    kernel = os.uname()
    print(f'{model[1] if model else kernel.machine}, {os.cpu_count()} CPUs, Linux {kernel.release}')
    print(f'{first_line([tools["haproxy"], "-v"])}; {first_line([tools["nginx"], "-v"])}')
    print(f'evenly: {os.path.getsize(evenly)} bytes', flush=True)


# --- processes

class Process:
    """A server on one CPU, from when its port answers until the end of the block."""

    def __init__(self, command, port, cpu):
        self.command, self.port, self.cpu = command, port, cpu

    def __enter__(self):
        self.log = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}))
        try:
            self.wait_for_port()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            # The children of a killed nginx would live on.
            for pid in self.pids():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()

    def wait_for_port(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            time.sleep(0.02)
        self.log.seek(0)
        command = ' '.join(self.command)
        sys.exit(f'peers: no answer on port {self.port} from {command}\n{self.log.read()}')

    def pids(self):
        """The process and its children's children."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for thread in os.listdir(f'/proc/{pid}/task'):
                    found += map(int, read(f'/proc/{pid}/task/{thread}/children').split())
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            for thread in os.listdir(f'/proc/{pid}/task'):
                with contextlib.suppress(OSError):    # a thread that has just ended
                    total += int(read(f'/proc/{pid}/task/{thread}/schedstat').split()[0])
        return total / 1e9

    def resident_kib(self):
        sizes = (re.search(r'VmRSS:\s+(\d+)', read(f'/proc/{pid}/status')) for pid in self.pids())
        return sum(int(size[1]) for size in sizes if size)


def read(path):
    with open(path) as file:
        return file.read()


# --- load

def measure_load(scenario, balancers, wrk, options):
    title = SCENARIOS[scenario][3]
    rounds = {name: [] for name in balancers}
    for _ in range(options.rounds):
        for name, (command, port) in balancers.items():
            with Process(command, port, BALANCER_CPU) as balancer:
                rounds[name].append(run_load(scenario, balancer, wrk, options.seconds))
    others = [name for name in balancers if name != 'evenly']
    print(f'\n{scenario}: {title}')
    print(f'  {"":8} {"cpu/request":>12} {"requests/s":>11} {"p99":>9}',
          *(f'{"/" + other:>9}' for other in others), ' errors')
    if SCENARIOS[scenario][0] == '/1m':
        costs = ', '.join(f'{name} {median(results, "cpu_us") * 1e3 / (1 << 20):.3f} s'
                          for name, results in rounds.items())
        print(f'  cpu for a GB (10^9 bytes): {costs}')
    for name, results in rounds.items():
        row = (f'  {name:8} {median(results, "cpu_us"):9.2f} us {median(results, "rate"):11.0f}'
               f' {median(results, "p99_ms"):6.2f} ms')
        for other in others:
            ratios = [a['cpu_us'] / b['cpu_us'] for a, b in zip(results, rounds[other])]
            row += f' {statistics.median(ratios):9.2f}' if name == 'evenly' else ' ' * 10
        print(row, f'{sum(result["errors"] for result in results):7}', flush=True)


def median(results, key):
    return statistics.median(result[key] for result in results)


def run_load(scenario, balancer, wrk, seconds):
    """One run of wrk after a short one that warms up."""
    path, connections, close, _ = SCENARIOS[scenario]
    command = [wrk, '-t1', f'-c{connections}', '--latency', '--timeout', '10s']
    command += ['-H', 'Connection: close'] if close else []
    scheme = 'https' if scenario.startswith(TLS) else 'http'
    url = f'{scheme}://127.0.0.1:{balancer.port}{path}'

    def load(duration):
        return subprocess.run([*command, f'-d{duration}s', url], capture_output=True, text=True,
                              check=True, timeout=duration + 30,
                              preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CPU})).stdout
    load(WARM_UP_SECONDS)
    before = balancer.cpu_seconds()
    report = load(seconds)
    used = balancer.cpu_seconds() - before
    answered = int(re.search(r'(\d+) requests in', report)[1])
    if answered == 0:
        sys.exit(f'peers: {scenario}: {balancer.command[0]} answered nothing\n{report}')
    p99 = re.search(r'99%\s+([\d.]+)(us|ms|s)', report)
    broken = re.search(r'Socket errors: .*', report)
    refused = re.search(r'Non-2xx or 3xx responses: .*', report)
    errors = [re.findall(r'\d+', found[0].split(':')[1]) for found in (broken, refused) if found]
    return {
        'cpu_us': used / answered * 1e6,
        'rate': float(re.search(r'Requests/sec:\s+([\d.]+)', report)[1]),
        'p99_ms': float(p99[1]) * {'us': 0.001, 'ms': 1, 's': 1000}[p99[2]],
        'errors': sum(int(count) for counts in errors for count in counts),
    }


def measure_idle(scenario, balancers):
    print(f'\n{scenario}: memory of {IDLE_CONNECTIONS} keep-alive connections that asked and wait')
    print(f'  {"":8} {"at start":>12} {"a connection":>13} {"answered":>12}')
    for name, (command, port) in balancers.items():
        with Process(command, port, BALANCER_CPU) as balancer, contextlib.ExitStack() as stack:
            time.sleep(0.5)    # let it finish starting
            before, answered = balancer.resident_kib(), 0
            for _ in range(IDLE_CONNECTIONS):
                try:
                    client = stack.enter_context(connect(port, scenario.startswith(TLS)))
                    client.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
                    answered += client.recv(4096).startswith(b'HTTP/1.1 200 ')
                except OSError:
                    break
            each = (balancer.resident_kib() - before) * 1024 / max(answered, 1)
            print(f'  {name:8} {before:8} KiB {each:11.0f} B {answered:12}', flush=True)


def connect(port, tls):
    client = socket.create_connection(('127.0.0.1', port), 5)
    if not tls:
        return client
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(client)


if __name__ == '__main__':
    main()
