//! Why something is as it is: `GET /why` of a backend, whose story becomes lines for people.
//!
//! Called by the endpoint. Reads what the pool remembers, and decides nothing. Times of day are
//! UTC, as those of the log and of the events are.

use std::time::Duration;

use serde_json::{Value, json};

use super::clock::Clock;
use super::status::{VERSION, time};
use super::{Steered, decided};
use crate::pool::policy::Kind;
use crate::pool::{Counts, PastCheck, Pool, Shift, Spell, Standing, Status, Story};
use crate::text::{Many, Took};

/// What is known of the backend of this name; none if there is none.
pub(super) fn of_backend(steered: &dyn Steered, name: &str) -> Option<Value> {
    let controls = steered.controls();
    let (pools, moment) = (controls.pools(), controls.now());
    let (pool, index) = pools.find(name)?;
    let clock = Clock::of(moment);
    let told = Told {
        status: &pool.status(index, moment),
        story: &pool.story(index, moment),
        shares: Shares::of(pool, index, moment),
        policy: pool.policy(),
        clock,
    };
    let mut lines = told.lines();
    lines.extend(decided::troubles(steered, pool.backends()[index].number()));
    let shift = |it: &Shift| {
        let at = time(clock.at(it.at));
        json!({ "at": at, "standing": it.standing.to_string(), "reason": it.reason })
    };
    let spell = |it: &Spell| {
        let ended = it.ended.map(|ended| time(clock.at(ended)));
        let began = time(clock.at(it.began));
        json!({ "began": began, "ended": ended, "turns": it.turns, "reason": it.reason })
    };
    Some(json!({
        "version": VERSION,
        "kind": "backend",
        "name": name,
        "lines": lines,
        "standings": told.story.shifts.iter().map(shift).collect::<Value>(),
        "sat_out": told.story.spells.iter().map(spell).collect::<Value>(),
    }))
}

/// How many of the pool's tries one backend got, and how much it would get by weight.
#[derive(Clone, Copy)]
struct Shares {
    /// Of all backends that are in the file now.
    tries: u64,
    /// Weights of those that are up and no backups, its own among them.
    weights: u64,
}

impl Shares {
    fn of(pool: &Pool, index: usize, now: Duration) -> Self {
        let is_up = |(at, one): &(usize, &crate::pool::Backend)| {
            *at == index || (one.standing(now) == Standing::Up && !one.is_backup())
        };
        let backends = pool.backends();
        let weights = backends.iter().enumerate().filter(is_up);
        Self {
            tries: backends.iter().map(|one| one.counts().requests).sum(),
            weights: weights.map(|(_, one)| u64::from(one.weight())).sum(),
        }
    }
}

/// All that the lines are made of.
struct Told<'t> {
    status: &'t Status,
    story: &'t Story,
    shares: Shares,
    policy: &'static str,
    clock: Clock,
}

impl Told<'_> {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.present()];
        lines.push(self.traffic());
        lines.extend(self.answers());
        lines.extend(self.checks());
        let explained = self.status.policy.as_ref();
        lines.extend(explained.map(|words| format!("{}: {words}", self.policy)));
        lines.extend(self.past());
        lines
    }

    /// `API02 is up since 14:02:07 UTC (12 min): check passed: status 200 (0.6 ms)`
    fn present(&self) -> String {
        let Status { backend, standing, since, why, ejected_for, .. } = self.status;
        let (at, long) = (self.clock.told(*since), self.clock.since(*since));
        let more = match ejected_for.filter(|_| *standing == Standing::Ejected) {
            Some(left) => format!(", for {} more", Took(left)),
            None => String::new(),
        };
        let colon = if why.is_empty() { "" } else { ": " };
        format!("{backend} is {} since {at} UTC ({long}){more}{colon}{why}", is(*standing))
    }

    fn traffic(&self) -> String {
        let Status { in_use, max_connections, weight, .. } = self.status;
        let tries = self.status.counts.requests;
        let of =
            if *max_connections == 0 { String::new() } else { format!(" of {max_connections}") };
        let got = percent(tries, self.shares.tries);
        let due = match (self.status.is_backup, self.status.standing) {
            (true, _) => "; a backup, for when no other is up".to_owned(),
            (false, Standing::Up) if self.policy == Kind::FirstAlive.name() => {
                ", and by its policy all while it is the first that is up".to_owned()
            }
            (false, Standing::Up) => {
                format!(", and by weight {}", percent((*weight).into(), self.shares.weights))
            }
            (false, _) => ", and none while it is so".to_owned(),
        };
        let tries = Many(tries, "try", "tries");
        format!("{in_use}{of} in flight; {tries} since the start, {got} of all{due}")
    }

    /// None before the first.
    fn answers(&self) -> Option<String> {
        let Status { counts, p50, p99, .. } = self.status;
        let Counts { statuses, failures, retries, .. } = counts;
        let classes = (1..).zip(statuses).filter(|(_, count)| **count > 0);
        let classes: Vec<_> = classes.map(|(class, count)| format!("{class}xx {count}")).collect();
        let mut words = match classes.is_empty() {
            true if *failures == 0 => return None,
            true => "answers: none".to_owned(),
            false => format!("answers: {}", classes.join(", ")),
        };
        words.push_str(&format!("; {} failed by its fault", Many(*failures, "try", "tries")));
        if *retries > 0 {
            words.push_str(&format!(", {retries} came after another had failed"));
        }
        if let (Some(p50), Some(p99)) = (p50, p99) {
            words.push_str(&format!("; half within {}, 99 % within {}", Took(*p50), Took(*p99)));
        }
        Some(words)
    }

    fn checks(&self) -> Option<String> {
        let Status { checks, counts, .. } = self.status;
        let Counts { checks_passed, checks_failed, .. } = counts;
        let PastCheck { at, outcome } = checks.first()?;
        let (at, verdict, seen) = (self.clock.told(*at), outcome.verdict(), &outcome.seen);
        let (took, all) = (Took(outcome.took), checks_passed + checks_failed);
        Some(format!(
            "last check at {at} {verdict}: {seen} ({took}); {checks_failed} of {all} failed"
        ))
    }

    /// What was before, the newest first.
    fn past(&self) -> Vec<String> {
        let Story { shifts, spells } = self.story;
        let shift = |it: &Shift| {
            (it.at, format!("{} {}: {}", self.clock.told(it.at), it.standing, it.reason))
        };
        let spell = |it: &Spell| (it.began, self.sat_out(it));
        let mut past: Vec<_> = shifts.iter().skip(1).map(shift).collect();
        // One that was out all the while had no turn to sit out.
        past.extend(spells.iter().filter(|it| it.turns > 0).map(spell));
        past.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        past.into_iter().map(|(_, line)| line).collect()
    }

    fn sat_out(&self, spell: &Spell) -> String {
        let began = self.clock.told(spell.began);
        let until = match spell.ended {
            Some(ended) => format!("to {}", self.clock.told(ended)),
            None => "until now".to_owned(),
        };
        let turns =
            if spell.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", spell.turns) };
        let why = if spell.reason.is_empty() { "" } else { ": " };
        format!("{began} {until} sat out {turns}{why}{}", spell.reason)
    }
}

/// What it is, in a sentence.
fn is(standing: Standing) -> &'static str {
    match standing {
        Standing::Up => "up",
        Standing::Down => "down",
        Standing::Ejected => "ejected",
        Standing::Drain => "draining",
        Standing::Maint => "in maintenance",
    }
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "0 %".to_owned(),
        _ => format!("{:.0} %", 100.0 * part as f64 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::CheckOutcome;
    use std::time::UNIX_EPOCH;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn status(standing: Standing, since: Duration, why: &str) -> Status {
        Status {
            backend: "API02".into(),
            address: "10.0.0.2:80".into(),
            standing,
            is_up: true,
            ejected_for: None,
            mode: crate::pool::Mode::Ready,
            asked_by: None,
            why: why.into(),
            since,
            checks: Vec::new(),
            in_use: 3,
            max_connections: 0,
            weight: 1,
            is_backup: false,
            counts: Counts { requests: 330, ..Counts::default() },
            p50: None,
            p99: None,
            score: None,
            policy: None,
        }
    }

    /// At 14:14:07 on the second day, 10,000 s after the start.
    fn lines(status: &Status, story: &Story) -> Vec<String> {
        let clock =
            Clock { now: UNIX_EPOCH + s(86_400 + 14 * 3600 + 14 * 60 + 7), moment: s(10_000) };
        let shares = Shares { tries: 1000, weights: 3 };
        Told { status, story, shares, policy: "scored-round-robin", clock }.lines()
    }

    fn check(passed: bool, seen: &str) -> PastCheck {
        let (took, seen, asks_drain) = (Duration::from_micros(600), seen.into(), !passed);
        PastCheck { at: s(9999), outcome: CheckOutcome { passed, asks_drain, seen, took } }
    }

    fn shift(at: u64, standing: Standing, reason: &str) -> Shift {
        Shift { at: s(at), standing, reason: reason.into() }
    }

    #[test]
    fn the_story_begins_with_the_present_and_goes_back() {
        let mut status = status(Standing::Up, s(9280), "check passed: status 200 (0.6 ms)");
        status.counts.statuses = [0, 300, 0, 0, 14];
        (status.counts.failures, status.counts.retries) = (16, 2);
        (status.p50, status.p99) = (Some(s(1)), Some(s(2)));
        (status.counts.checks_passed, status.counts.checks_failed) = (90, 9);
        status.checks = vec![check(true, "status 200")];
        status.policy = Some("score 9, threshold 250: takes its turns".into());
        let story = Story {
            shifts: vec![
                shift(9280, Standing::Up, "check passed: status 200 (0.6 ms)"),
                shift(9000, Standing::Down, "check failed: status 503 (1.2 ms), 3 times in a row"),
                shift(0, Standing::Up, "check passed: status 200 (0.5 ms)"),
            ],
            spells: vec![
                Spell { began: s(9990), ended: None, turns: 3, reason: "answers slow".into() },
                Spell { began: s(9100), ended: Some(s(9200)), turns: 0, reason: "".into() },
                Spell { began: s(8000), ended: Some(s(8100)), turns: 1, reason: "".into() },
            ],
        };
        let expected = [
            "API02 is up since 14:02:07 UTC (12 min): check passed: status 200 (0.6 ms)",
            "3 in flight; 330 tries since the start, 33 % of all, and by weight 33 %",
            "answers: 2xx 300, 5xx 14; 16 tries failed by its fault, 2 came after another had \
             failed; half within 1.0 s, 99 % within 2.0 s",
            "last check at 14:14:06 passed: status 200 (0.6 ms); 9 of 99 failed",
            "scored-round-robin: score 9, threshold 250: takes its turns",
            "14:13:57 until now sat out 3 turns: answers slow",
            "13:57:27 down: check failed: status 503 (1.2 ms), 3 times in a row",
            "13:40:47 to 13:42:27 sat out 1 turn",
            "11:27:27 up: check passed: status 200 (0.5 ms)",
        ];
        assert_eq!(lines(&status, &story), expected);
    }

    #[test]
    fn whoever_takes_all_by_its_policy_is_not_held_against_weights() {
        let status = &status(Standing::Up, s(9280), "check passed: status 200 (0.6 ms)");
        let clock = Clock { now: UNIX_EPOCH, moment: s(10_000) };
        let (shares, policy) = (Shares { tries: 330, weights: 3 }, Kind::FirstAlive.name());
        let said = Told { status, story: &Story::default(), shares, policy, clock }.lines();
        let all = "100 % of all, and by its policy all while it is the first that is up";
        assert!(said[1].ends_with(all), "{said:?}");
    }

    #[test]
    fn a_check_that_asks_for_a_drain_has_not_failed() {
        let why = "check asks to be drained: status 410 (0.6 ms)";
        let mut status = status(Standing::Drain, s(9999), why);
        status.checks = vec![check(false, "status 410")];
        status.counts.checks_passed = 90;
        let said = lines(&status, &Story::default());
        let last = "last check at 14:14:06 asks to be drained: status 410 (0.6 ms); 0 of 90 failed";
        assert_eq!(said[2], last, "{said:?}");
    }

    #[test]
    fn one_try_that_failed_is_said_of_one() {
        let mut status = status(Standing::Up, s(9280), "check passed: status 200 (0.6 ms)");
        status.counts.failures = 1;
        let said = lines(&status, &Story::default());
        assert!(said[2].contains("answers: none; 1 try failed by its fault"), "{said:?}");
    }

    #[test]
    fn whoever_is_out_is_said_to_be_so_and_for_how_long() {
        let ejected = Status {
            ejected_for: Some(s(7)),
            ..status(Standing::Ejected, s(9997), "3 failures in a row")
        };
        let said = &lines(&ejected, &Story::default())[..];
        let expected =
            "API02 is ejected since 14:14:04 UTC (3 s), for 7.0 s more: 3 failures in a row";
        assert_eq!(said[0], expected);
        assert!(said[1].ends_with("33 % of all, and none while it is so"), "{said:?}");
        let backup =
            Status { is_backup: true, max_connections: 5, ..status(Standing::Up, s(0), "") };
        let said = &lines(&backup, &Story::default())[..];
        assert_eq!(said[0], "API02 is up since 11:27:27 UTC (2 h)");
        assert!(
            said[1].starts_with("3 of 5 in flight; ") && said[1].contains("a backup"),
            "{said:?}"
        );
    }
}
