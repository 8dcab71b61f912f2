//! What `--help` says. `args` holds the same options; a test keeps the two together.

/// `evenly --help`
pub(super) const GENERAL: &str = "\
Evenly spreads HTTP requests over the applications in applications.toml.

Usage: evenly [COMMAND] [OPTIONS]

Commands:
  serve    balance until told to stop (the default)
  check    print the effective configuration, or what is wrong with it
  demo     try it: three demo backends and the balancer in one process
  backend  be a demo backend
  simulate compare policies on a virtual clock

Options of serve and check:
  -c, --config FILE        the configuration; default: applications.toml
      --listen ADDRESS     server.listen, such as 0.0.0.0:8080 (demo too)
      --workers NUMBER     server.workers; 0 is one a core (demo too)
      --set TABLE.KEY=VALUE  any other key, as often as needed (demo too)

Options of backend:
      --listen ADDRESS     of the first instance; default: 127.0.0.1:9001
      --name NAME          of the first instance; default: API01
      --instances NUMBER   how many, on consecutive ports; default: 1
      --seed NUMBER        a fixed pattern of latency and errors; default: 0, none
      --unhealthy          begin with /health answering 503

Options of simulate:
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
  Errors are answers of 500 and above. Latencies are those of all requests that were
  answered, well or not, or waited in vain; not of those turned away at once.

  -h, --help               this text
  -V, --version            the version

Flags beat EVENLY_TABLE_KEY variables (EVENLY_SERVER_LISTEN, EVENLY_LOG_ACCESS),
these beat the file, and the file beats the defaults. EVENLY_CONFIG names the file.
Exit status: 0 fine, 1 failed at run time, 2 bad usage or configuration.
";
