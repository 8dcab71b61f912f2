//! What the tables mean to the pool, how long bytes may take, and what differs where a client reads
//! them. Called by the commands, the relay and the client, so that every user of one file goes by
//! the same rules.

use super::{Config, Retry, RetryReason, Server, Timeouts};
use crate::pool::policy::Kind;
use crate::pool::{self, CheckRules, PassiveRules, RetryRules, Rules, Statuses};
use std::time::Duration;

impl Config {
    /// The defaults of a program that balances its own calls: it goes by the order of the file
    /// ([`Kind::FirstAlive`]), and it listens nowhere, so that an application may be where the
    /// balancer would listen: it may be that balancer. Read a file onto these with
    /// [`load_onto`](Self::load_onto); what it says counts.
    pub fn for_client() -> Self {
        let mut config = Self::default();
        config.balance.policy = Kind::FirstAlive;
        let listen = ([127, 0, 0, 1], 0).into();
        config.server = Server { listen, ..config.server };
        config
    }

    /// What it says about the pool's decisions, but for the secret of sticky cookies: drawing one
    /// is for whoever hands out cookies.
    pub fn rules(&self) -> Rules {
        let (passive, retry, health) = (&self.passive, &self.retry, &self.health);
        Rules {
            pool: self.pool.clone(),
            passive: PassiveRules {
                failures: passive.failures,
                eject: passive.eject,
                eject_max: passive.eject_max,
                statuses: Statuses::new(passive.statuses.clone()),
                bad_answers: passive.bad_answers,
                clients: passive.clients,
            },
            retry: RetryRules {
                on: self.retry.on(),
                unanswered: retry.unanswered,
                attempts: retry.attempts,
                budget_percent: retry.budget_percent,
                budget_min: retry.budget_min,
            },
            check: CheckRules { rise: health.rise, fall: health.fall },
            slow_start: self.balance.slow_start,
            fail_open: self.balance.fail_open,
            sticky: None,
            drain: self.timeouts.drain,
        }
    }
}

impl Timeouts {
    /// How long so many bytes of a body may take; without a floor, for ever.
    pub fn worth(&self, bytes: u64) -> Duration {
        match self.slowest {
            0 => Duration::MAX,
            a_second => Duration::from_micros(bytes.saturating_mul(1_000_000) / a_second),
        }
    }
}

impl Retry {
    /// What the pool's rule needs.
    fn on(&self) -> pool::RetryOn {
        let names = |case| self.on.contains(&case);
        let ranges = self.on.iter().filter_map(|case| match case {
            RetryReason::Statuses(range) => Some(range.clone()),
            _ => None,
        });
        pool::RetryOn {
            connect: names(RetryReason::Connect),
            reset: names(RetryReason::Reset),
            timeout: names(RetryReason::Timeout),
            statuses: Statuses::new(ranges.collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn read(text: &str) -> Config {
        Config::for_client().read_onto(text, "test", &Overrides::default()).unwrap()
    }

    #[test]
    fn a_client_goes_by_the_order_of_the_file_unless_that_says_otherwise() {
        let applications = "[[applications]]\nip = \"::1\"\nport = 80\n";
        assert_eq!(read(applications).balance.policy, Kind::FirstAlive);
        let said = format!("{applications}[balance]\npolicy = \"round-robin\"");
        assert_eq!(read(&said).balance.policy, Kind::RoundRobin);
    }

    #[test]
    fn a_client_may_name_the_place_where_a_balancer_listens() {
        let text = "[[applications]]\nip = \"127.0.0.1\"\nport = 8080\n";
        assert!(Config::parse(text, "test").is_err());
        assert_eq!(read(text).applications[0].port, 8080);
    }
}
