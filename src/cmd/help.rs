//! What `--help` says. `args` holds the same options; a test keeps the two together.

/// `evenly --help`
pub(super) const GENERAL: &str = "\
Evenly spreads HTTP requests over the applications in applications.toml.

Usage: evenly [COMMAND] [OPTIONS]

Commands:
  serve    balance until told to stop (the default)
  check    say whether the configuration is fine, and what would fail
  demo     try it: three demo backends and the balancer in one process
  backend  be a demo backend
  get      get a path from whichever application is well; see evenly get --help
  bench    measure a URL; see evenly bench --help
  simulate compare policies on a virtual clock; see evenly simulate --help

Options of serve and check:
  -c, --config FILE        the configuration; default: applications.toml
      --listen ADDRESS     server.listen, such as 0.0.0.0:8080 (demo too)
      --workers NUMBER     server.workers; 0 is one a core (demo too)
      --set TABLE.KEY=VALUE  any other key, as often as needed (demo too)
      --all                with check: every key, not only what differs from the default

Options of backend:
      --listen ADDRESS     of the first instance; default: 127.0.0.1:9001
      --name NAME          of the first instance; default: API01
      --instances NUMBER   how many, on consecutive ports; default: 1
      --seed NUMBER        a fixed pattern of latency and errors; default: 0, none
      --unhealthy          begin with /health answering 503

  -h, --help               this text
  -V, --version            the version

Flags beat EVENLY_TABLE_KEY variables (EVENLY_SERVER_LISTEN, EVENLY_LOG_ACCESS),
these beat the file, and the file beats the defaults. EVENLY_CONFIG names the file.
Exit status: 0 fine, 1 failed at run time, 2 bad usage or configuration.
";

/// `evenly bench --help`
#[cfg(feature = "lab")]
pub(super) const BENCH: &str = "\
Sends requests to a URL and counts what comes back.

Usage: evenly bench URL [OPTIONS]

How much:
      --requests NUMBER    stop after so many
      --duration TIME      stop after so long; default: 10s, unless --requests is given
      --workers NUMBER     connections at a time, each with its thread; default: 10
      --rate NUMBER        requests due a second, all workers together: the open loop
      --timeout TIME       for one exchange, its connect included; default: 10s

What:
      --method NAME        default: GET, or POST with a body
      --header \"NAME: VALUE\"  as often as needed
      --body TEXT          or @FILE
      --no-keep-alive      a connection for each request

With https:
      --cacert FILE        whom to trust, in PEM; default: whom the system trusts
      --insecure           take whatever certificate the server shows

Output:
      --json               one JSON object instead of tables
      --html FILE          a page with tables and plots as well
  -h, --help               this text

Without --rate each worker sends its next request when its last is answered (closed
loop): a server that stalls is asked less meanwhile. With it, latency counts from when
a request was due, not from when a worker was free to send it (open loop), which
corrects for coordinated omission. Requests in flight at the end are awaited.

Keys of --json: url, method, workers, rate_asked (null in a closed loop), requests, ok
(status 200 to 399), statuses, errors (by kind: refused, unreachable, tls, timeout,
reset, closed, short_body, long_body, malformed, local), resent, unsent, seconds, rate
(answers a second), bytes, bytes_rate, latency_ms (p50, p90, p99, p99.9, max; of whole
answers), service_ms (the same from when it was sent; null in a closed loop), served_by
(answers by X-Served-By).

Exit status: 0 if a request was answered with a status from 200 to 399, 1 if none was,
2 for bad usage. Ctrl-C ends the run and prints what there is.
";

/// `evenly simulate --help`
#[cfg(feature = "lab")]
pub(super) const SIMULATE: &str = "\
Compares policies on a virtual clock: no sockets, the pool's own code.

Usage: evenly simulate [OPTIONS]

      --scenario NAME      homogeneous, one-slow, one-flaky, mixed-hardware,
                           rolling-deploy, brownout, flapping, thundering-recovery,
                           or a file; without it, each seed draws one
      --seeds 1..50        which seeds, both ends included; --seed N is one
      --instances NUMBER   in place of the scenario's
      --requests NUMBER    a run, in place of the scenario's
      --policy NAMES       such as round-robin,two-choices; default: all
      --retry              let failed requests be tried again; default: not
      --json               figures for programs instead of the table
      --html FILE          a page with plots as well
  -c, --config FILE        the pool's rules; default: the defaults
  -h, --help               this text

Errors are answers of 500 and above. Latencies are those of all requests that were
answered, well or not, or waited in vain; not of those turned away at once. The same
seed gives the same bytes anywhere. Exit status: 0 fine, 1 a file cannot be written, 2
bad usage, scenario or configuration.
";

/// `evenly get --help`
#[cfg(feature = "client")]
pub(super) const GET: &str = "\
Gets a path from whichever application is well, and prints the body.

Usage: evenly get PATH [OPTIONS]

  -c, --config FILE        where the applications are; default: applications.toml
      --wait TIME          keep checking so long while none is well; default: not
      --timeout TIME       for the call, once one is; default: 60s
      --verbose            tell on stderr who is skipped, and why, and who is used
      --set TABLE.KEY=VALUE  any key, as often as needed
  -h, --help               this text

Without [balance] policy in the file its order is the order of preference.
Exit status: 0 fine, 1 no application answered, or one with a status of 400 and above,
2 bad usage or configuration.
";
