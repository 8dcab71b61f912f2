//! What `--help` says. `args` holds the same options; a test keeps the two together.

/// `evenly --help`
pub(super) const GENERAL: &str = "\
Evenly spreads HTTP requests over the applications in applications.toml.

Usage: evenly [COMMAND] [OPTIONS]

Commands:
  serve        balance until told to stop (the default)
  check        say whether the configuration is fine, and what would fail
  alert-test   send a message by each alert of the file now, or by that of a NAME
  demo         try it: three demo backends and the balancer in one process
  backend      be a demo backend
  get          get a path from whichever application is well; see evenly get --help
  bench        measure a URL; see evenly bench --help
  simulate     compare policies on a virtual clock; see evenly simulate --help

Commands that ask a balancer that runs; see evenly status --help:
  status       how it stands
  why          why a backend is as it is, or a request went as it did
  timeline     what happened, and what was counted meanwhile
  drain        give a backend no new requests
  maint        the same, and close its tunnels after a while
  ready        give it requests again
  pause        hold new requests for a moment
  resume       let them go on
  reload       read the file anew
  diff         say what a reload would change
  upgrade      have the new program take over
  healthcheck  say by the exit status whether it serves

Options of serve, check and alert-test:
  -c, --config FILE        the configuration; default: applications.toml
      --listen ADDRESS     server.listen, such as 0.0.0.0:8080 (demo too)
      --workers NUMBER     server.workers; 0 is one a core (demo too)
      --set TABLE.KEY=VALUE  any other key, as often as needed (demo too)
      --all                with check: every key, not only what differs from the default
      --route URL          with check: only which pool a request for URL goes to

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
      --pool NAME          of which pool, where the file has several
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
      --pool NAME          the pool to ask, where the file has several
      --wait TIME          keep checking so long while none is well; default: not
      --timeout TIME       for the call, once one is; default: 60s
      --verbose            tell on stderr who is skipped, and why, and who is used
      --set TABLE.KEY=VALUE  any key, as often as needed
  -h, --help               this text

Without [balance] policy in the file its order is the order of preference.
Exit status: 0 fine, 1 no application answered, or one with a status of 400 and above,
2 bad usage or configuration.
";

/// `evenly status --help`, and that of every command that asks a running balancer.
#[cfg(feature = "admin")]
pub(super) const ASK: &str = "\
Asks a running balancer, and tells it what to do.

Usage: evenly status [--json | --names] [--watch[=SECONDS]]
       evenly why NAME|ID [--json]
       evenly timeline [--since TIME] [--json]
       evenly drain NAME [--wait TIME] [--force]
       evenly maint NAME [--wait TIME] [--force]
       evenly ready NAME [--wait TIME]
       evenly pause [POOL] [--for TIME]
       evenly resume [POOL]
       evenly reload
       evenly diff [FILE]
       evenly upgrade
       evenly healthcheck [--live]

  status       a table, those first that are not up; sums since the start
      --json               as the balancer tells it, for programs
      --names              the backends' names alone, a line each
      --watch[=SECONDS]    again every 2 s, or so many, until Ctrl-C
  why          where a backend stands and why, its share, and what befell it before;
               of the id of a request, as X-Request-Id and the log have it: its tries
  timeline     events, and counters of 10 s, the newest last; times are UTC. Quiet
               stretches and floods are folded; ! is trouble
      --since TIME         1h ago (the default), or since 14:02, 2026-11-27T14:02:07Z or
                           @1795831327, as date +%s has it
      --json               for programs, and nothing is folded; why has it too
  drain        no new requests; what is in flight ends by itself
  maint        the same, but tunnels and streams end after [timeouts] drain
  ready        requests again, as far as health allows
      --wait TIME          until nothing is in flight, or until it is up; exit 1 if
                           that takes longer, such as 60s
      --force              even the last one that is usable
  pause        hold new requests in the queue, for at most 30 s; then they get 503
      --for TIME           for less than that
  resume       let them go on
  reload       read the file anew, and serve by it if all of it makes sense
  diff         what a reload would change; with FILE, as if that were its own (- is
               standard input). Exit 0 with changes or none, 1 if the file is bad
  upgrade      start the program's new binary, which takes over without a gap
  healthcheck  silent with exit 0 if it serves, else 1 and a line; within 2 s
      --live               it runs: enough even while it drains or waits for checks

Which balancer:
      --socket PATH        the one at this socket
      --url URL            the one at [admin] listen, such as http://127.0.0.1:9900;
                           EVENLY_ADMIN_TOKEN holds the token, if not the file
      --all LIST           several, with commas between: each a socket's PATH, a URL
                           or HOST[:PORT] (9900), with NAME= before it or not
  -c, --config FILE        the one of this file; default: applications.toml, or if
                           there is no such file the one that EVENLY_... variables
                           name, or the only one that runs here
  -h, --help               this text

Exit status: 0 done, 1 refused, not in time, or no balancer answers, 2 bad usage.
Of several balancers all must have done it.
";
