//! What a change of the configuration comes to for clients: keys that go elsewhere, sticky cookies
//! that lead nowhere.

use crate::config::Config;
use crate::pool::chance::scramble;
use crate::pool::policy::{Kind, ScoredRules};
use crate::pool::{Ask, Pool, Rules, Spec};
use std::net::Ipv4Addr;

/// Keys that are tried to see where they go.
const KEYS: u64 = 4096;

/// A sentence for each thing that clients may notice. `heirs` says which application of the old one
/// each of the new one is, by place.
pub(in crate::balancer) fn of(old: &Config, new: &Config, heirs: &[Option<usize>]) -> Vec<String> {
    let (mut first, mut all) = (0, Vec::new());
    for part in new.parts() {
        let heirs = &heirs[first..][..part.applications.len()];
        first += part.applications.len();
        let of = match new.parts().len() {
            1 => String::new(),
            _ => format!("pool {}: ", part.pool_name()),
        };
        let mut before = 0;
        for old in old.parts() {
            if old.pool_name() == part.pool_name() {
                let own = |at: &Option<usize>| at.and_then(|at| at.checked_sub(before));
                let own: Vec<_> = heirs.iter().map(own).collect();
                let said = [keys_that_move(old, part, &own), cookies_that_break(old, part)];
                all.extend(said.into_iter().flatten().map(|what| format!("{of}{what}")));
            }
            before += old.applications.len();
        }
    }
    all
}

/// What share of the keys leads to another application, where both go by keys.
fn keys_that_move(old: &Config, new: &Config, heirs: &[Option<usize>]) -> Option<String> {
    let hashes = |config: &Config| config.balance.policy == Kind::Hash;
    if !hashes(old) || !hashes(new) || old.applications == new.applications {
        return None;
    }
    let [before, after] = [old, new].map(|config| homes(&config.applications));
    let has_moved = |(old, new): &(&Option<usize>, &Option<usize>)| {
        old.is_none() || new.and_then(|at| heirs[at]) != **old
    };
    let moved = before.iter().zip(&after).filter(has_moved).count();
    let percent = moved as f64 * 100.0 / KEYS as f64;
    Some(format!("hash: {percent:.1} % of the keys go to another application"))
}

/// Where each of the keys leads while all of these are up.
fn homes(specs: &[Spec]) -> Vec<Option<usize>> {
    let specs: Vec<Spec> = specs
        .iter()
        .map(|spec| Spec {
            alive: true,
            found: Some(Ok((Ipv4Addr::LOCALHOST, spec.port).into())),
            ..spec.clone()
        })
        .collect();
    let policy = Kind::Hash.build(&specs, &ScoredRules::default());
    let pool = Pool::new(specs, policy, Rules::default());
    let home = |key| {
        let ask = Ask { key: Some(scramble(key)), ..Ask::default() };
        pool.pick(&ask).ok().map(|lease| lease.index())
    };
    (0..KEYS).map(home).collect()
}

/// Whose cookies lead nowhere: one is made of a name and a secret.
fn cookies_that_break(old: &Config, new: &Config) -> Option<String> {
    let (before, after) = (&old.sticky, &new.sticky);
    let cookie = before.cookie.as_ref()?;
    let why = match &after.cookie {
        None => "nothing goes by them any more",
        Some(other) if other != cookie => "they have another name",
        Some(_) if before.secret != after.secret => "they are made with another secret",
        Some(_) => {
            let is_left = |old: &&Spec| !new.applications.iter().any(|new| new.name == old.name);
            let gone = old.applications.iter().filter(is_left).map(|spec| spec.name.as_str());
            let gone: Vec<&str> = gone.collect();
            let names = gone.join(", ");
            return (!gone.is_empty()).then(|| format!("sticky: cookies of {names} break"));
        }
    };
    Some(format!("sticky: all cookies break, as {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "balance.policy = \"hash\"\n";

    fn config(keys: &str, names: &[&str]) -> Config {
        let table = |(at, name): (usize, &&str)| {
            let port = 9001 + at;
            format!("[[applications]]\nname = \"{name}\"\nip = \"192.0.2.1\"\nport = {port}\n")
        };
        let tables: String = names.iter().enumerate().map(table).collect();
        Config::parse(&format!("{keys}{tables}"), "test").unwrap()
    }

    fn said(old: (&str, &[&str]), new: (&str, &[&str]), heirs: &[Option<usize>]) -> Vec<String> {
        of(&config(old.0, old.1), &config(new.0, new.1), heirs)
    }

    fn percent(words: &[String]) -> f64 {
        assert_eq!(words.len(), 1, "{words:?}");
        let number = words[0].strip_prefix("hash: ").unwrap().split(' ').next().unwrap();
        number.parse().unwrap()
    }

    #[test]
    fn the_share_of_keys_that_move_is_that_of_the_policys_own_table() {
        let three = (HASH, &["a", "b", "c"][..]);
        let added = said(three, (HASH, &["a", "b", "c", "d"]), &[Some(0), Some(1), Some(2), None]);
        assert!((22.0..32.0).contains(&percent(&added)), "{added:?}");
        let gone = said(three, (HASH, &["a", "b"]), &[Some(0), Some(1)]);
        assert!((30.0..40.0).contains(&percent(&gone)), "{gone:?}");
        let turned = said(three, (HASH, &["c", "a", "b"]), &[Some(2), Some(0), Some(1)]);
        assert_eq!(percent(&turned), 0.0, "names decide, and not their order");
        assert!(said(three, three, &[Some(0), Some(1), Some(2)]).is_empty());
        assert!(said(("", three.1), (HASH, &["a"]), &[Some(0)]).is_empty());
    }

    #[test]
    fn where_there_are_several_pools_each_is_told_for_itself() {
        let pool = |name: &str, backends: &[&str]| {
            let table = |(at, one): (usize, &&str)| {
                let at = format!("ip = \"192.0.2.1\"\nport = {}\n", 9001 + at);
                format!("[[pools.applications]]\nname = \"{name}-{one}\"\n{at}")
            };
            let tables: String = backends.iter().enumerate().map(table).collect();
            format!("[[pools]]\nname = \"{name}\"\n{HASH}{tables}")
        };
        let route = "[[routes]]\npool = \"web\"\n";
        let [old, new] = [&["a", "b"][..], &["a", "b", "c"]].map(|api| {
            let text = format!("{}{}{route}", pool("web", &["a", "b"]), pool("api", api));
            Config::parse(&text, "test").unwrap()
        });
        let said = of(&old, &new, &[Some(0), Some(1), Some(2), Some(3), None]);
        assert!(said.len() == 1 && said[0].starts_with("pool api: hash: "), "{said:?}");
    }

    #[test]
    fn the_cookies_that_break_are_named() {
        let with = |name: &str, secret: &str| {
            format!("[sticky]\ncookie = \"{name}\"\nsecret = \"{secret}\"\n")
        };
        let (one, two) = (with("A", "0123456789abcdef"), with("A", "fedcba9876543210"));
        let names = &["a", "b"][..];
        let both = [Some(0), Some(1)];
        let to = |keys: &str, names: &[&str]| said((&one, &["a", "b"]), (keys, names), &both);
        assert!(to(&one, names).is_empty());
        assert_eq!(to(&one, &["a", "other"]), ["sticky: cookies of b break"]);
        let all = |why: &str| [format!("sticky: all cookies break, as {why}")];
        assert_eq!(to(&two, names), all("they are made with another secret"));
        assert_eq!(to(&with("B", "0123456789abcdef"), names), all("they have another name"));
        assert_eq!(to("", names), all("nothing goes by them any more"));
        assert!(said(("", names), (&one, names), &both).is_empty());
    }
}
