//! What an application has for itself alone: its address within its pool, its name among all.
//! Asked by `applications` for each that is read; of 10,000, each is found at once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::APPLICATIONS;
use super::message::Place;
use super::report::Report;
use crate::pool::Spec;

/// Those that were read so far, of all pools.
#[derive(Default)]
pub(super) struct Known {
    pools: usize,
    all: Vec<One>,
    /// The place of each in `all`, by its pool and its address.
    addresses: Index,
    names: Index,
    /// The same of those that are called as an address of a name would be, by that name.
    addressed: Index,
}

type Index = BTreeMap<String, usize>;

struct One {
    name: String,
    line: usize,
    /// It may have several addresses, each of which is called after it.
    is_named: bool,
}

impl Known {
    /// Those that are read from now on are of another pool, and may be at the same addresses.
    pub(super) fn begin_pool(&mut self) {
        self.pools += 1;
    }

    /// Reports what this one has that an earlier one has already, and knows it from now on.
    pub(super) fn add(&mut self, spec: &Spec, place: &Place, report: &mut Report<'_>) {
        if let Some((key, what)) = self.taken(spec) {
            report.add(place.clone(), &format!("{APPLICATIONS}.{key}"), what);
        }
        let line = match place {
            Place::At { line, .. } => *line,
            _ => 0,
        };
        let (address, at) = (self.address(spec), self.all.len());
        self.addresses.entry(address).or_insert(at);
        self.names.entry(spec.name.clone()).or_insert(at);
        if let Some(name) = name_of_address(&spec.name) {
            self.addressed.entry(name.to_owned()).or_insert(at);
        }
        self.all.push(One { name: spec.name.clone(), line, is_named: spec.is_named() });
    }

    /// The key of what another has already, and what to do about it.
    fn taken(&self, spec: &Spec) -> Option<(&'static str, String)> {
        let name = &spec.name;
        if let Some(One { line, .. }) = self.find(&self.addresses, &self.address(spec)) {
            let what = format!("is listed at line {line} already; remove one of the two");
            return Some(("ip", format!("{} {what}", spec.authority())));
        }
        if let Some(One { line, .. }) = self.find(&self.names, name) {
            let what = format!("is the name of the one at line {line}; choose another");
            return Some(("name", format!("\"{name}\" {what}")));
        }
        let One { name: other, line, .. } = self.alike(spec)?;
        let what = format!(
            "\"{name}\" and \"{other}\", at line {line}, are alike: an address of a name is called \
             name@address; choose another"
        );
        Some(("name", what))
    }

    /// One that has the name of an address of this one's, or one whose address has this one's name.
    fn alike(&self, spec: &Spec) -> Option<&One> {
        let ours = self.find(&self.addressed, &spec.name).filter(|_| spec.is_named());
        ours.or_else(|| {
            let name = name_of_address(&spec.name)?;
            self.find(&self.names, name).filter(|one| one.is_named)
        })
    }

    fn find(&self, index: &Index, key: &str) -> Option<&One> {
        index.get(key).map(|at| &self.all[*at])
    }

    fn address(&self, spec: &Spec) -> String {
        format!("{} {} {}", self.pools, spec.port, spec.host)
    }
}

/// The name of which this would be an address's.
fn name_of_address(text: &str) -> Option<&str> {
    let (name, address) = text.rsplit_once('@')?;
    address.parse::<IpAddr>().ok().map(|_| name)
}
