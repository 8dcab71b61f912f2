//! What an application has for itself alone: its address within its pool, its name among all.
//! Asked by `applications` for each that is read; of 10,000, each is found at once.

use std::collections::HashMap;
use std::net::IpAddr;

use super::APPLICATIONS;
use super::message::Place;
use super::report::Report;
use crate::pool::Spec;

/// Those that were read so far, of all pools.
#[derive(Default)]
pub(super) struct Known {
    pools: usize,
    /// The line of each, by its pool and its address.
    addresses: HashMap<(usize, String, u16), usize>,
    names: HashMap<String, Called>,
    /// Those that are called as an address of a name would be, by that name.
    addressed: HashMap<String, (String, usize)>,
}

/// Who has a name.
struct Called {
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
        self.addresses.entry(self.address(spec)).or_insert(line);
        let called = Called { line, is_named: spec.is_named() };
        self.names.entry(spec.name.clone()).or_insert(called);
        if let Some(name) = name_of_address(&spec.name) {
            let told = || (spec.name.clone(), line);
            self.addressed.entry(name.to_owned()).or_insert_with(told);
        }
    }

    /// The key of what another has already, and what to do about it.
    fn taken(&self, spec: &Spec) -> Option<(&'static str, String)> {
        let name = &spec.name;
        if let Some(line) = self.addresses.get(&self.address(spec)) {
            let what = format!("is listed at line {line} already; remove one of the two");
            return Some(("ip", format!("{} {what}", spec.authority())));
        }
        if let Some(Called { line, .. }) = self.names.get(name) {
            let what = format!("is the name of the one at line {line}; choose another");
            return Some(("name", format!("\"{name}\" {what}")));
        }
        let (other, line) = self.alike(spec)?;
        let what = format!(
            "\"{name}\" and \"{other}\", at line {line}, are alike: an address of a name is called \
             name@address; choose another"
        );
        Some(("name", what))
    }

    /// One that has the name of an address of this one's, or one whose address has this one's name;
    /// and its line.
    fn alike<'k>(&'k self, spec: &'k Spec) -> Option<(&'k str, usize)> {
        let of_ours = || self.addressed.get(&spec.name).filter(|_| spec.is_named());
        let ours = of_ours().map(|(other, line)| (other.as_str(), *line));
        ours.or_else(|| {
            let name = name_of_address(&spec.name)?;
            let called = self.names.get(name).filter(|called| called.is_named)?;
            Some((name, called.line))
        })
    }

    fn address(&self, spec: &Spec) -> (usize, String, u16) {
        (self.pools, spec.host.clone(), spec.port)
    }
}

/// The name of which this would be an address's.
fn name_of_address(text: &str) -> Option<&str> {
    let (name, address) = text.rsplit_once('@')?;
    address.parse::<IpAddr>().ok().map(|_| name)
}
