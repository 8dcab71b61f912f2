//! What the system says of this process: time, memory, descriptors, threads. For the metrics and
//! the status. What cannot be had is none, never a guess.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Descriptors of this process.
pub(super) struct Descriptors {
    /// Where the list cannot be opened for want of a descriptor, that says how many are open.
    pub(super) open: Option<u64>,
    /// None is no limit.
    pub(super) limit: Option<u64>,
}

/// Descriptors now.
pub(super) fn descriptors() -> Descriptors {
    let limit = getrlimit(Resource::Nofile).current;
    let open = match fs::read_dir("/proc/self/fd") {
        Ok(list) => Some(list.count().saturating_sub(1) as u64), // the list has itself
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            limit
        }
        Err(_) => None,
    };
    Descriptors { open, limit }
}

/// Time on a processor so far, of all threads, those that have ended among them.
pub(super) fn processor_time() -> Duration {
    time_of(ClockId::ProcessCPUTime)
}

/// The same of the calling thread alone.
pub(super) fn thread_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Memory and threads, as /proc/self/status has them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Body {
    /// Bytes of memory that it has.
    pub(super) resident: Option<u64>,
    /// Bytes of addresses that it has a claim to.
    pub(super) reserved: Option<u64>,
    pub(super) threads: Option<u64>,
}

impl Body {
    /// As it is now; nothing is known of it where no descriptor is left to read that.
    pub(super) fn now() -> Self {
        fs::read_to_string("/proc/self/status").map(|text| Self::read(&text)).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let bytes = |name| field(name).and_then(|kib| kib.checked_mul(1024));
        Self { resident: bytes("VmRSS:"), reserved: bytes("VmSize:"), threads: field("Threads:") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_threads_are_read_from_what_the_kernel_writes() {
        let text =
            "Name:\tevenly VmRSS: 3\nVmSize:\t  204800 kB\nVmRSS:\t    2048 kB\nThreads:\t9\n";
        let (resident, reserved) = (Some(2_097_152), Some(209_715_200));
        assert_eq!(Body::read(text), Body { resident, reserved, threads: Some(9) });
        assert_eq!(Body::read("VmRSS:\t99999999999999999999 kB\n"), Body::default());
    }

    #[test]
    fn this_process_has_worked_and_takes_room() {
        let (before, body) = (processor_time(), Body::now());
        assert!(body.resident > Some(1 << 20) && body.reserved >= body.resident, "{body:?}");
        assert!(body.threads > Some(0), "{body:?}");
        let sum = (0..1_000_000_u64).fold(0, |sum, it| std::hint::black_box(sum + it));
        assert!(sum > 0 && processor_time() > before);
        let Descriptors { open, limit } = descriptors();
        assert!(open > Some(2) && limit.is_none_or(|limit| Some(limit) > open));
    }
}
