//! An application whose `ip` is a name becomes as many as that has addresses, each with all of its
//! keys and called `name@address`. Called by whoever makes a pool; looks nothing up itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::valid::is_ours;
use super::{Config, Listener};
use crate::pool::Spec;

/// The most addresses of a name that are used. What answers with more is no list of instances.
pub const ADDRESSES_MAX: usize = 256;

/// Addresses that a sentence names; how many more there are, it counts.
const TOLD_MAX: usize = 8;

/// What a look-up of a name came to: its addresses, at least one, with the port; or a sentence that
/// says why there is none, such as `app.internal does not resolve: Name or service not known`.
pub type Answer = Result<Vec<SocketAddr>, String>;

/// What names have come to, by host and port.
pub type Answers = BTreeMap<(String, u16), Answer>;

/// True where both are the same addresses, or none: why there is none is said in one way now, and
/// in another a second later.
pub fn leads_alike(one: &Answer, other: &Answer) -> bool {
    one.as_ref().ok() == other.as_ref().ok()
}

impl Config {
    /// Each application that is named at each of its addresses, in their order. One without any is
    /// still there, as one that leads nowhere. Returns too what was left out and why, a sentence
    /// each. `is_local` tells this machine's own addresses.
    #[must_use]
    pub fn spread(
        &self,
        answers: &Answers,
        is_local: &dyn Fn(IpAddr) -> bool,
    ) -> (Self, Vec<String>) {
        let (mut spread, mut left_out) = (Vec::new(), Vec::new());
        if !self.pools.is_empty() {
            let mut pools = Vec::with_capacity(self.pools.len());
            for pool in &self.pools {
                let (pool, left) = pool.spread(answers, is_local);
                spread.extend_from_slice(&pool.applications);
                left_out.extend(left);
                pools.push(pool);
            }
            return (Self { applications: spread, pools, ..self.clone() }, left_out);
        }
        for spec in &self.applications {
            match answers.get(&(spec.host.clone(), spec.port)).filter(|_| spec.is_named()) {
                Some(Ok(all)) => spread.extend(self.at_each(spec, all, is_local, &mut left_out)),
                Some(Err(why)) => {
                    spread.push(Spec { found: Some(Err(why.clone())), ..spec.clone() })
                }
                None => spread.push(spec.clone()),
            }
        }
        (Self { applications: spread, ..self.clone() }, left_out)
    }

    fn at_each(
        &self,
        spec: &Spec,
        all: &[SocketAddr],
        is_local: &dyn Fn(IpAddr) -> bool,
        left_out: &mut Vec<String>,
    ) -> Vec<Spec> {
        let Spec { name, host, .. } = spec;
        let mut all: Vec<SocketAddr> = all.iter().map(canonical).collect();
        all.sort_unstable();
        all.dedup();
        if let Some(ours) = all.iter().find(|at| self.is_own(at, is_local)) {
            left_out.push(format!(
                "application {name}: {host} leads to {ours}, where clients come in: that address \
                 is left out"
            ));
        }
        all.retain(|at| !self.is_own(at, is_local));
        if all.len() > ADDRESSES_MAX {
            let (count, most) = (all.len(), ADDRESSES_MAX);
            left_out.push(format!(
                "application {name}: {host} has {count} addresses, and the first {most} are used"
            ));
            all.truncate(ADDRESSES_MAX);
        }
        match all.first() {
            None => {
                let why = format!("{host} leads to where clients come in, and nowhere else");
                vec![Spec { found: Some(Err(why)), ..spec.clone() }]
            }
            Some(first) if all.iter().all(is_localhost) => {
                vec![Spec { found: Some(Ok(*first)), ..spec.clone() }]
            }
            Some(_) => all.iter().map(|at| spec.found_at(*at)).collect(),
        }
    }

    fn is_own(&self, at: &SocketAddr, is_local: &dyn Fn(IpAddr) -> bool) -> bool {
        self.listening().iter().any(|Listener { listen, .. }| {
            let is_met = || listen.ip().is_unspecified() && is_local(at.ip());
            at.port() == listen.port() && (is_ours(*listen, at.ip()) || is_met())
        })
    }
}

/// Where the applications of one configuration are and those of another were not.
pub struct Moves(Vec<Move>);

struct Move {
    application: String,
    host: String,
    comes: Vec<IpAddr>,
    goes: Vec<IpAddr>,
}

impl Moves {
    /// What differs where both are of one file.
    #[must_use]
    pub fn between(before: &Config, after: &Config) -> Self {
        let mut all: Vec<Move> = Vec::new();
        let mut note = |spec: &Spec, is_new: bool| {
            let Ok(at) = spec.address() else { return };
            let (application, host) = (spec.application().to_owned(), spec.host.clone());
            let place = all.iter().position(|one| one.application == application);
            let place = place.unwrap_or_else(|| {
                all.push(Move { application, host, comes: Vec::new(), goes: Vec::new() });
                all.len() - 1
            });
            let list = if is_new { &mut all[place].comes } else { &mut all[place].goes };
            list.push(at.ip());
        };
        let places = |config: &Config| -> BTreeSet<(String, Option<SocketAddr>)> {
            let place = |spec: &Spec| (spec.name.clone(), spec.address().ok());
            config.applications.iter().map(place).collect()
        };
        let (old, new) = (places(before), places(after));
        let is_in = |all: &BTreeSet<_>, spec: &Spec| {
            all.contains(&(spec.name.clone(), spec.address().ok()))
        };
        after.applications.iter().filter(|it| !is_in(&old, it)).for_each(|it| note(it, true));
        before.applications.iter().filter(|it| !is_in(&new, it)).for_each(|it| note(it, false));
        Self(all)
    }

    /// Each application that has moved, with a sentence about it.
    pub fn words(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|Move { application, host, comes, goes }| {
            let what = match (comes.is_empty(), goes.is_empty()) {
                (false, true) => format!("{host} leads to {} now", list(comes)),
                (true, _) => format!("{host} leads to {} no more", list(goes)),
                (false, false) => {
                    format!("{host} leads to {} now, and to {} no more", list(comes), list(goes))
                }
            };
            (application.clone(), what)
        })
    }
}

/// The first of them, and how many more there are.
fn list(all: &[IpAddr]) -> String {
    let (told, more) = all.split_at(all.len().min(TOLD_MAX));
    let told: Vec<String> = told.iter().map(IpAddr::to_string).collect();
    match more.len() {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// Most names say `localhost` for one program that listens at either of the two, or at both.
fn is_localhost(at: &SocketAddr) -> bool {
    [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)].contains(&at.ip())
}

fn canonical(at: &SocketAddr) -> SocketAddr {
    match at.ip().to_canonical() {
        IpAddr::V4(four) => (four, at.port()).into(),
        IpAddr::V6(_) => *at, // with its zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    const APP: &str = "[[applications]]\nname = \"app\"\nip = \"app.internal\"\nport = 80\n";

    /// A name, a port, and where it leads or why nowhere.
    type Told<'t> = (&'t str, u16, Result<&'t [&'t str], &'t str>);

    fn answer(of: &[Told]) -> Answers {
        let at = |port: u16| move |ip: &&str| SocketAddr::new(ip.parse().unwrap(), port);
        let one = |(host, port, answer): &Told| {
            let answer = answer.map(|all| all.iter().map(at(*port)).collect());
            (((*host).to_owned(), *port), answer.map_err(str::to_owned))
        };
        of.iter().map(one).collect()
    }

    /// Names with where they are.
    fn spread(text: &str, answers: &Answers) -> (Vec<String>, Vec<String>) {
        let (config, left_out) = config(text).spread(answers, &|ip| ip.to_string() == "10.9.9.9");
        let shown = |spec: &Spec| match spec.address() {
            Ok(address) => format!("{} {address}", spec.name),
            Err(why) => format!("{}: {why}", spec.name),
        };
        (config.applications.iter().map(shown).collect(), left_out)
    }

    #[test]
    fn a_name_becomes_as_many_as_it_has_addresses_in_an_order_of_their_own() {
        let text = format!("{APP}weight = 3\n[[applications]]\nip = \"10.0.0.9\"\nport = 1\n");
        let found: &[&str] = &["2001:db8::1", "10.0.0.10", "10.0.0.2", "::ffff:10.0.0.2"];
        let answers = answer(&[("app.internal", 80, Ok(found))]);
        let (all, left_out) = spread(&text, &answers);
        let expected = [
            "app@10.0.0.2 10.0.0.2:80",
            "app@10.0.0.10 10.0.0.10:80",
            "app@2001:db8::1 [2001:db8::1]:80",
            "10.0.0.9:1 10.0.0.9:1",
        ];
        assert_eq!((all, left_out.len()), (expected.map(String::from).to_vec(), 0));
        let (config, _) = config(&text).spread(&answers, &|_| false);
        let first = &config.applications[0];
        assert_eq!((first.weight, first.host.as_str()), (3, "app.internal"));
        assert_eq!(first.authority(), "app.internal:80", "which Host and TLS go by");
    }

    #[test]
    fn without_an_address_it_is_there_and_says_why() {
        let answers = answer(&[("app.internal", 80, Err("it does not resolve"))]);
        assert_eq!(spread(APP, &answers).0, ["app: it does not resolve"]);
        assert_eq!(spread(APP, &Answers::new()).0, ["app: app.internal was not looked up"]);
    }

    #[test]
    fn localhost_is_one_program_and_other_addresses_of_this_machine_are_their_own() {
        for found in [&["::1", "127.0.0.1"][..], &["127.0.0.1"]] {
            let (all, _) = spread(APP, &answer(&[("app.internal", 80, Ok(found))]));
            assert_eq!(all, ["app 127.0.0.1:80"]);
        }
        let (all, _) = spread(APP, &answer(&[("app.internal", 80, Ok(&["127.0.0.3"]))]));
        assert_eq!(all, ["app@127.0.0.3 127.0.0.3:80"]);
    }

    #[test]
    fn an_address_with_a_zone_is_one_of_its_application() {
        let at: SocketAddr = "[fe80::1%2]:80".parse().unwrap();
        let answers = Answers::from([(("app.internal".to_owned(), 80), Ok(vec![at]))]);
        let (config, _) = config(APP).spread(&answers, &|_| false);
        let spec = &config.applications[0];
        assert_eq!((spec.name.as_str(), spec.application()), ("app@fe80::1%2", "app"));
    }

    #[test]
    fn each_port_of_a_name_goes_by_its_own_answer() {
        let text = format!("{APP}[[applications]]\nip = \"app.internal\"\nport = 81\n");
        let answers = answer(&[
            ("app.internal", 80, Ok(&["10.0.0.1"])),
            ("app.internal", 81, Ok(&["10.0.0.1", "10.0.0.2"])),
        ]);
        let expected = [
            "app@10.0.0.1 10.0.0.1:80",
            "app.internal:81@10.0.0.1 10.0.0.1:81",
            "app.internal:81@10.0.0.2 10.0.0.2:81",
        ];
        assert_eq!(spread(&text, &answers).0, expected);
    }

    #[test]
    fn two_applications_that_lead_to_one_address_are_two() {
        let text = format!("{APP}[[applications]]\nname = \"other\"\nip = \"b.test\"\nport = 80\n");
        let answers =
            answer(&[("app.internal", 80, Ok(&["10.0.0.1"])), ("b.test", 80, Ok(&["10.0.0.1"]))]);
        assert_eq!(
            spread(&text, &answers).0,
            ["app@10.0.0.1 10.0.0.1:80", "other@10.0.0.1 10.0.0.1:80"]
        );
    }

    #[test]
    fn where_clients_come_in_is_no_application_and_the_others_stay() {
        let text = format!("server.listen = \"0.0.0.0:80\"\n{APP}");
        for ours in ["127.0.0.2", "10.9.9.9", "::1"] {
            let found: &[&str] = &[ours, "10.0.0.1"];
            let (all, left_out) = spread(&text, &answer(&[("app.internal", 80, Ok(found))]));
            assert_eq!(all, ["app@10.0.0.1 10.0.0.1:80"]);
            assert!(left_out[0].contains("where clients come in"), "{left_out:?}");
            let (all, _) = spread(&text, &answer(&[("app.internal", 80, Ok(&[ours]))]));
            assert!(all[0].starts_with("app: app.internal leads to where"), "{all:?}");
        }
        // Who connects to no address in particular comes to this machine.
        let met = [("127.0.0.1", "0.0.0.0"), ("127.0.0.1", "::ffff:0.0.0.0"), ("[::1]", "::")];
        for (listen, ours) in met {
            let text = format!("server.listen = \"{listen}:80\"\n{APP}");
            let found: &[&str] = &[ours, "10.0.0.1"];
            let (all, _) = spread(&text, &answer(&[("app.internal", 80, Ok(found))]));
            assert_eq!(all, ["app@10.0.0.1 10.0.0.1:80"], "{listen} {ours}");
        }
        let text = format!("server.listen = \"10.0.0.1:81\"\n{APP}");
        let (all, left_out) = spread(&text, &answer(&[("app.internal", 80, Ok(&["10.0.0.1"]))]));
        assert_eq!((all.len(), left_out.len()), (1, 0), "another port is another program");
    }

    #[test]
    fn what_moved_is_said_in_a_sentence_for_each_application() {
        let at = |found: &[&str]| {
            config(APP).spread(&answer(&[("app.internal", 80, Ok(found))]), &|_| false).0
        };
        let words = |before: &Config, after: &Config| -> Vec<String> {
            Moves::between(before, after)
                .words()
                .map(|(one, what)| format!("{one}: {what}"))
                .collect()
        };
        let (one, both) = (at(&["10.0.0.1"]), at(&["10.0.0.1", "10.0.0.2"]));
        assert_eq!(words(&one, &both), ["app: app.internal leads to 10.0.0.2 now"]);
        assert_eq!(words(&both, &one), ["app: app.internal leads to 10.0.0.2 no more"]);
        let said = "app: app.internal leads to 10.0.0.3 now, and to 10.0.0.1 no more";
        assert_eq!(words(&one, &at(&["10.0.0.3"])), [said]);
        assert_eq!(words(&config(APP), &one), ["app: app.internal leads to 10.0.0.1 now"]);
        assert!(words(&one, &one).is_empty());
        let many: Vec<String> = (0..20).map(|it| format!("10.0.0.{it}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let said = words(&config(APP), &at(&many));
        assert!(said[0].ends_with(", 10.0.0.7 and 12 more now"), "{said:?}");
    }

    #[test]
    fn of_too_many_addresses_the_first_are_used_and_that_is_said() {
        let found: Vec<String> =
            (0..300).map(|it| format!("10.0.{}.{}", it / 250, it % 250)).collect();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let (all, left_out) = spread(APP, &answer(&[("app.internal", 80, Ok(&found))]));
        assert_eq!((all.len(), all[0].as_str()), (256, "app@10.0.0.0 10.0.0.0:80"));
        assert!(left_out[0].contains("has 300 addresses, and the first 256"), "{left_out:?}");
    }

    #[test]
    fn each_pool_has_the_addresses_of_its_own_names() {
        let pool = |name: &str, host: &str| {
            format!(
                "[[pools]]\nname = \"{name}\"\n[[pools.applications]]\nname = \"{name}-app\"\n\
                 ip = \"{host}\"\nport = 80\n"
            )
        };
        let routes = "[[routes]]\npool = \"a\"\n[[routes]]\npath = \"/b\"\npool = \"b\"\n";
        let config = config(&[&pool("a", "app.internal"), &pool("b", "::1"), routes].concat());
        let two: &[&str] = &["10.0.0.1", "10.0.0.2"];
        let (spread, _) = config.spread(&answer(&[("app.internal", 80, Ok(two))]), &|_| false);
        let names = |config: &Config| {
            config.applications.iter().map(|spec| spec.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&spread), ["a-app@10.0.0.1", "a-app@10.0.0.2", "b-app"]);
        assert_eq!(spread.pools.iter().map(names).collect::<Vec<_>>().concat(), names(&spread));
        assert_eq!(spread.pools[1].applications.len(), 1);
    }
}
