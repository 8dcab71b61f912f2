//! A scenario: what instances there are, what is asked of them, and what happens to them.
//!
//! Read from a file (`read`), out of the binary (`shipped`) or drawn from a seed (`drawn`); played
//! by the world. Holds no state of a run.

mod drawn;
mod read;
mod shipped;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use super::draw::Spread;
use crate::config::Errors;

pub use read::{INSTANCES_MAX, REQUESTS_MAX};
pub use shipped::SHIPPED;

/// What is played. Whole numbers of nanoseconds throughout.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file's name without its ending, or `drawn`.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// How many instances.
    pub instances: usize,
    /// How many requests.
    pub requests: u64,
    /// What is asked, as a share of what all instances can do while they are well.
    pub load: f64,
    /// How many clients the requests come from, for the policy `hash` and for passive marking.
    pub clients: u64,
    /// How many paths they ask for, all alike.
    pub paths: u64,
    /// Share of requests that ask for one more path, which every instance answers with 503.
    pub bad_path: f64,
    /// How many clients ask for that one; 0 is all of them.
    pub bad_path_clients: u64,
    /// The longest wait for an answer; `None` leaves it to the configuration.
    pub timeout: Option<Duration>,
    /// What an instance is like unless a group says otherwise.
    pub instance: Traits,
    /// Instances that are of another kind from the start.
    pub groups: Vec<(Which, Patch)>,
    /// What happens.
    pub changes: Vec<Change>,
}

/// What an instance is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// Mean service time.
    pub latency_ns: u64,
    /// How service times lie around it.
    pub spread: Spread,
    /// Requests served at once.
    pub workers: u32,
    /// Requests that may wait for a worker; beyond, connects are refused.
    pub backlog: u32,
    /// Share of requests that are answered with `status`.
    pub errors: f64,
    /// 500 to 599.
    pub status: u16,
    /// Mean time that an error takes; `None`: as long as a good answer.
    pub error_latency_ns: Option<u64>,
    /// Share of requests whose connection is reset instead of an answer.
    pub resets: f64,
    /// Share of requests whose answer breaks the rules of HTTP.
    pub bad_answers: f64,
    /// Connects are refused, checks fail; what was begun is finished.
    pub down: bool,
    /// When it goes down, what was begun is reset.
    pub crash: bool,
    /// As in the pool.
    pub weight: u32,
    /// As in the pool; 0 is no limit.
    pub max_connections: u32,
}

/// Some traits in place of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// Replaces the latency.
    pub latency_ns: Option<u64>,
    /// Multiplies the latency, and that of errors.
    pub slower: Option<f64>,
    /// And so on: each replaces the trait of its name.
    pub spread: Option<Spread>,
    /// See [`Traits`].
    pub workers: Option<u32>,
    /// See [`Traits`].
    pub backlog: Option<u32>,
    /// See [`Traits`].
    pub errors: Option<f64>,
    /// See [`Traits`].
    pub status: Option<u16>,
    /// See [`Traits`].
    pub error_latency_ns: Option<u64>,
    /// See [`Traits`].
    pub resets: Option<f64>,
    /// See [`Traits`].
    pub bad_answers: Option<f64>,
    /// See [`Traits`].
    pub down: Option<bool>,
    /// See [`Traits`].
    pub crash: Option<bool>,
    /// See [`Traits`].
    pub weight: Option<u32>,
    /// See [`Traits`].
    pub max_connections: Option<u32>,
}

/// Something that happens to some instances for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it begins, as a share of the run.
    pub from: f64,
    /// When it ends.
    pub until: f64,
    /// To whom.
    pub which: Which,
    /// What they are like meanwhile.
    pub patch: Patch,
}

/// Which instances.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// Every one at once.
    All,
    /// Number 1.
    First,
    /// The one with the highest number.
    Last,
    /// Every one, one after the other, each for an equal part of the time.
    EachInTurn,
    /// The first so many, as a share of all, at least one.
    Share(f64),
    /// These, by number from 1.
    Listed(Vec<usize>),
}

/// A change as it befalls one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Spell {
    /// From 0.
    pub instance: usize,
    /// Share of the run.
    pub from: f64,
    /// Share of the run.
    pub until: f64,
    /// What it is like meanwhile.
    pub patch: Patch,
}

impl Scenario {
    /// The shipped one of this name, or else the file at this path.
    pub fn load(name: &str) -> Result<Self, Errors> {
        if let Some((name, text)) = SHIPPED.into_iter().find(|(known, _)| *known == name) {
            return read::read(text, name, name);
        }
        let path = Path::new(name);
        let title = path.file_stem().map_or(name.into(), |stem| stem.to_string_lossy());
        let text = read::text(path).map_err(|what| Errors::of(name, what))?;
        read::read(&text, name, &title)
    }

    /// What each instance is like while all is well, in order.
    pub fn well(&self) -> Vec<Traits> {
        let mut all = vec![self.instance.clone(); self.instances];
        for (which, patch) in &self.groups {
            which.members(self.instances).into_iter().for_each(|index| all[index].apply(patch));
        }
        all
    }

    /// What happens, instance by instance, in the order of the file.
    pub fn spells(&self) -> Vec<Spell> {
        self.changes.iter().flat_map(|change| change.spells(self.instances)).collect()
    }

    /// Requests a second that all instances together can serve while they are well.
    pub fn capacity(&self) -> f64 {
        let one = |traits: &Traits| f64::from(traits.workers) * 1e9 / traits.latency_ns as f64;
        self.well().iter().map(one).sum()
    }

    /// Plays it with so many instances. The error is a sentence: the scenario names one beyond.
    pub fn with_instances(mut self, instances: usize) -> Result<Self, String> {
        let named = self.groups.iter().map(|(which, _)| which);
        let named = named.chain(self.changes.iter().map(|change| &change.which));
        let beyond = named.filter_map(Which::highest).find(|number| *number > instances);
        if let Some(number) = beyond {
            let name = &self.name;
            return Err(format!("{name} names instance {number}; give it at least that many"));
        }
        self.instances = instances;
        Ok(self)
    }
}

impl Change {
    fn spells(&self, instances: usize) -> Vec<Spell> {
        let members = self.which.members(instances);
        let each = (self.until - self.from) / members.len() as f64;
        let in_turn = self.which == Which::EachInTurn;
        let spell = |(place, instance): (usize, usize)| {
            let (from, until) = match in_turn {
                true => (self.from + each * place as f64, self.from + each * (place as f64 + 1.0)),
                false => (self.from, self.until),
            };
            Spell { instance, from, until, patch: self.patch.clone() }
        };
        members.into_iter().enumerate().map(spell).collect()
    }
}

impl Which {
    /// Their indexes, from 0.
    pub fn members(&self, instances: usize) -> Vec<usize> {
        match self {
            Self::All | Self::EachInTurn => (0..instances).collect(),
            Self::First => vec![0],
            Self::Last => vec![instances - 1],
            Self::Share(share) => {
                let many = (share * instances as f64 + 0.5) as usize;
                (0..many.clamp(1, instances)).collect()
            }
            Self::Listed(numbers) => numbers.iter().map(|number| number - 1).collect(),
        }
    }

    /// The highest number that it names.
    fn highest(&self) -> Option<usize> {
        match self {
            Self::Listed(numbers) => numbers.iter().copied().max(),
            _ => None,
        }
    }
}

impl Traits {
    /// Takes on what the patch says.
    pub fn apply(&mut self, patch: &Patch) {
        fn set<T: Clone>(into: &mut T, from: &Option<T>) {
            if let Some(value) = from {
                *into = value.clone();
            }
        }
        set(&mut self.latency_ns, &patch.latency_ns);
        set(&mut self.spread, &patch.spread);
        set(&mut self.workers, &patch.workers);
        set(&mut self.backlog, &patch.backlog);
        set(&mut self.errors, &patch.errors);
        set(&mut self.status, &patch.status);
        set(&mut self.resets, &patch.resets);
        set(&mut self.bad_answers, &patch.bad_answers);
        set(&mut self.down, &patch.down);
        set(&mut self.crash, &patch.crash);
        set(&mut self.weight, &patch.weight);
        set(&mut self.max_connections, &patch.max_connections);
        self.error_latency_ns = patch.error_latency_ns.or(self.error_latency_ns);
        let slower = patch.slower.unwrap_or(1.0);
        let times = |ns: u64| ((ns as f64 * slower) as u64).max(1);
        self.error_latency_ns = self.error_latency_ns.map(times);
        self.latency_ns = times(self.latency_ns);
    }
}

impl Default for Traits {
    fn default() -> Self {
        Self {
            latency_ns: 10_000_000,
            spread: Spread::Exponential,
            workers: 4,
            backlog: 64,
            errors: 0.0,
            status: 500,
            error_latency_ns: None,
            resets: 0.0,
            bad_answers: 0.0,
            down: false,
            crash: false,
            weight: 1,
            max_connections: 0,
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            about: String::new(),
            instances: 5,
            requests: 20_000,
            load: 0.6,
            clients: 1000,
            paths: 100,
            bad_path: 0.0,
            bad_path_clients: 0,
            timeout: None,
            instance: Traits::default(),
            groups: Vec::new(),
            changes: Vec::new(),
        }
    }
}
