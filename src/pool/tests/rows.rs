//! Passive marking against its rule, written down as plainly as can be: whatever happens to a
//! backend, it is ejected when the rule says so, and not one failure sooner or later.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What is reported of a backend.
#[derive(Clone, Copy, Debug)]
enum Report {
    Success,
    Abandoned,
    Refused,
    Connect,
    /// A client met a failure at a path.
    Met(Outcome, u64, u64),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let faults = [Fault::Reset, Fault::Timeout, Fault::NoHttp].map(Outcome::Failed);
    prop::sample::select([faults.as_slice(), &[status(502), status(503), status(504)]].concat())
}

fn reported() -> impl Strategy<Value = Report> {
    let met = (outcome(), 0..3_u64, 0..3_u64);
    prop_oneof![
        2 => Just(Report::Success),
        1 => Just(Report::Abandoned),
        1 => Just(Report::Refused),
        3 => Just(Report::Connect),
        20 => met.prop_map(|(outcome, client, path)| Report::Met(outcome, client, path)),
    ]
}

/// The row of failures, remembered in full.
#[derive(Default)]
struct Remembered {
    connects: usize,
    met: Vec<(u64, u64)>,
}

impl Remembered {
    fn take(&mut self, report: Report) {
        match report {
            Report::Success => *self = Self::default(),
            Report::Abandoned | Report::Refused => {}
            Report::Connect => self.connects += 1,
            Report::Met(_, client, path) => self.met.push((client, path)),
        }
    }

    /// The rule of `pool/row.rs`.
    fn ejects(&self, clients_min: usize) -> bool {
        let clients: BTreeSet<u64> = self.met.iter().map(|(client, _)| *client).collect();
        let paths: BTreeSet<u64> = self.met.iter().map(|(_, path)| *path).collect();
        let met = if paths.len() > 1 { self.met.len() } else { self.met.len() / 4 };
        let believed = if clients.len() >= clients_min { met } else { 0 };
        self.connects + believed >= 3
    }
}

/// What is said of a backend that this happens to.
fn tell(pool: &Pool, report: Report) -> Option<Notice> {
    let judge = |outcome, witness| pool.judge(0, &outcome, || witness, s(0));
    match report {
        Report::Success => judge(OK, None),
        Report::Abandoned => judge(Outcome::Abandoned, None),
        Report::Refused => judge(Outcome::Failed(Fault::BadAnswer), Some(Witness::new(9, 9))),
        Report::Connect => judge(FAILED, Some(Witness::new(0, 0))),
        Report::Met(outcome, client, path) => judge(outcome, Some(Witness::new(client, path))),
    }
}

fn ejected_by(pool: &Pool, report: Report) -> bool {
    tell(pool, report).is_some_and(|notice| notice.change().is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_backend_is_ejected_exactly_when_the_rule_says_so(
        reports in prop::collection::vec(reported(), 1..60),
        clients in 1..=2_u16,
    ) {
        let passive = PassiveRules { clients, ..PassiveRules::default() };
        let pool = pool(3, Rules { passive, ..Rules::default() });
        let mut row = Remembered::default();
        for report in reports {
            row.take(report);
            let ejected = ejected_by(&pool, report);
            prop_assert_eq!(ejected, row.ejects(clients.into()), "{:?}", report);
            if ejected {
                break;
            }
        }
    }

    #[test]
    fn one_client_alone_ejects_nobody(
        outcomes in prop::collection::vec((outcome(), 0..1000_u64), 1..300),
        client in any::<u64>(),
    ) {
        let pool = pool(3, Rules::default());
        for (outcome, path) in outcomes {
            prop_assert!(!ejected_by(&pool, Report::Met(outcome, client, path)));
        }
    }
}
