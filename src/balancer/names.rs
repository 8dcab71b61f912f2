//! Names that lead elsewhere: the pool follows, in the way that a reload takes, but without a look
//! at any file. Who is new is checked first, who is gone finishes what it has in flight.
//!
//! Carried out by the thread that reloads, so that the two never meet.

use super::Running;
use super::build::Own;
use super::newcomers::Newcomers;
use super::pools::{heirs, with_none};
use super::reload::{InForce, Plan};
use crate::config::{Answer, Answers, Changes, Moves, leads_alike};
use crate::event::Event;
use crate::pool::Standing;
use crate::watch::Respread;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Has `Running::follow_names` called: the names thread asks, and the one that reloads does so.
pub(super) fn line() -> (Respread, Receiver<()>) {
    let (ask, asked): (Sender<()>, _) = bounded(1);
    let respread: Respread = Box::new(move |_, _| {
        // Where that was asked already, it is about to be done.
        let _ = ask.try_send(());
        None
    });
    (respread, asked)
}

impl Running {
    /// Serves by what names have come to. Where it cannot now, it is asked again.
    pub(super) fn follow_names(&self) {
        let Some(_turn) = self.turn.take() else { return };
        let before = self.in_force().clone();
        let served = self.watch.current().answers.clone();
        let answers = newest(&served, &self.watch.answers());
        if answers.values().zip(served.values()).all(|(now, then)| leads_alike(now, then)) {
            return; // a reload has seen to it meanwhile
        }
        let own = Own::default();
        let (config, left_out) = before.written.spread(&answers, &|ip| own.has(ip));
        let Ok(()) = own.sure() else { return };
        let Ok((fitting, _)) = self.fitting(&config) else { return };
        let tls = before.tls.among(&before.config.applications, &config.applications);
        let controls = self.server.controls();
        let pools = controls.pools();
        let heirs = heirs(&pools, &config);
        let mut newcomers = Newcomers::of(&pools, &config.applications, &heirs);
        newcomers.try_out(&config, &tls, &self.teller);
        if self.server.is_ending() {
            return;
        }
        let moves = Moves::between(&before.config, &config);
        let had_none = with_none(&pools, controls.now());
        // What was said of certificates was said.
        let next = InForce { config, left_out, tls, ..before };
        let (changes, alerts, warnings) = (Changes::default(), None, Vec::new());
        let plan = Plan { next, answers, alerts, warnings, heirs, changes };
        self.swap(plan, fitting, &pools, newcomers);
        for (application, what) in moves.words() {
            self.teller.tell(Event::Moved { backend: &application, what: &what });
        }
        let (all, now) = (controls.pools(), controls.now());
        for backend in all.backends().filter(|one| one.standing(now) == Standing::Down) {
            let is_new = !pools.backends().any(|old| old.is(backend));
            if let (true, Ok(_)) = (is_new, backend.address()) {
                let what = &"down until a check passes";
                self.teller.tell(Event::Moved { backend: backend.name(), what });
            }
        }
        self.tell_of_losses(&had_none);
    }
}

/// What is `served` by, and what has been found of it since. No more than that: what is `published`
/// goes by the file before, until the names thread looks around again.
fn newest(served: &Answers, published: &Answers) -> Answers {
    let newer = |(named, known): (&(String, u16), &Answer)| {
        let found = published.get(named).filter(|found| found.is_ok() || known.is_err());
        (named.clone(), found.unwrap_or(known).clone())
    };
    served.iter().map(newer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(all: &[(&str, Result<u8, &str>)]) -> Answers {
        let answer = |(host, found): &(&str, Result<u8, &str>)| {
            let found = found.map(|last| vec![([10, 0, 0, last], 80).into()]);
            (((*host).to_owned(), 80), found.map_err(str::to_owned))
        };
        all.iter().map(answer).collect()
    }

    #[test]
    fn what_a_reload_has_found_stays_and_what_was_found_since_is_taken() {
        let served = answers(&[("moved", Ok(1)), ("new", Ok(2)), ("nowhere", Err("late"))]);
        let published = answers(&[("gone", Ok(9)), ("moved", Ok(3)), ("nowhere", Err("none"))]);
        let expected = answers(&[("moved", Ok(3)), ("new", Ok(2)), ("nowhere", Err("none"))]);
        assert_eq!(newest(&served, &published), expected);
        let published = answers(&[("moved", Err("late")), ("nowhere", Ok(4))]);
        let expected = answers(&[("moved", Ok(1)), ("new", Ok(2)), ("nowhere", Ok(4))]);
        assert_eq!(newest(&served, &published), expected);
    }
}
