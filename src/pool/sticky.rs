//! Sticky sessions: the tokens by which clients that come again find their backend again.
//!
//! A token is the backend's name under a keyed hash: the same in every pool with the same secret
//! and the same names, whatever their order, so that several balancers agree, and one before and
//! after a restart. It tells nobody without the secret which backend it stands for, nor what the
//! token of another would be.
//! Made with the pool, asked by its picks. Never decides whether a backend may be used.

use std::fmt;

use super::hash::siphash;

/// What the tokens are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u64; 2]);

impl Secret {
    /// The secret that an operator wrote, to be the same in another balancer.
    pub fn of(text: &str) -> Self {
        Self([0, 1].map(|half| siphash([half, 0], text.as_bytes())))
    }

    /// A secret of 128 bits that were drawn by chance.
    pub fn drawn(bits: [u64; 2]) -> Self {
        Self(bits)
    }

    /// For whoever is to draw the same.
    #[cfg(feature = "admin")]
    pub(crate) fn bits(self) -> [u64; 2] {
        self.0
    }
}

/// Keeps it out of logs and panics.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Each backend's token, by index.
pub(super) struct Tokens(Vec<u64>);

impl Tokens {
    /// For backends of these names.
    pub(super) fn new<'n>(secret: Secret, names: impl Iterator<Item = &'n str>) -> Self {
        Self(names.map(|name| siphash(secret.0, name.as_bytes())).collect())
    }

    /// The token of the backend at `index`.
    pub(super) fn of(&self, index: usize) -> u64 {
        self.0[index]
    }

    /// Whose token it is, if anybody's: a client may send anything. A thousand of them are looked
    /// through in less time than a lock takes.
    pub(super) fn owner(&self, token: u64) -> Option<usize> {
        self.0.iter().position(|own| *own == token)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::pool::testing::{ask, check, pool_of, set_mode, spec};
    use crate::pool::{Ask, CheckRules, Fault, Mode, Outcome, PassiveRules, Pool, Rules, Spec};

    const NOW: Duration = Duration::ZERO;
    const SECRET: &str = "a secret for tests";

    fn rules() -> Rules {
        Rules {
            sticky: Some(Secret::of(SECRET)),
            check: CheckRules { rise: 1, fall: 1 },
            ..Rules::default()
        }
    }

    fn sticky(names: &[&str]) -> Arc<Pool> {
        pool_of(names.iter().map(|name| spec(name)).collect(), rules())
    }

    fn tokens(pool: &Pool) -> Vec<u64> {
        (0..pool.backends().len()).map(|index| pool.token(index).unwrap()).collect()
    }

    /// Where eight requests of a client go that once was served by the backend at `index`.
    fn ways(pool: &Arc<Pool>, index: usize, now: Duration) -> Vec<usize> {
        let ask = Ask { token: pool.token(index), ..ask(now, &[]) };
        (0..8).map(|_| pool.pick(&ask).unwrap().index()).collect()
    }

    #[test]
    fn a_client_that_sends_its_token_stays() {
        let pool = sticky(&["a", "b", "c"]);
        for index in 0..3 {
            assert_eq!(ways(&pool, index, NOW), [index; 8]);
        }
    }

    #[test]
    fn it_takes_nobodys_turn() {
        let pool = sticky(&["a", "b", "c"]);
        let next = || {
            ways(&pool, 1, NOW);
            pool.pick(&ask(NOW, &[])).unwrap().index()
        };
        assert_eq!([next(), next(), next(), next()], [0, 1, 2, 0]);
    }

    #[test]
    fn a_token_of_nobody_is_ignored() {
        let pool = sticky(&["a", "b"]);
        let stranger = Ask { token: Some(1), ..ask(NOW, &[]) };
        let picked: Vec<_> = (0..4).map(|_| pool.pick(&stranger).unwrap().index()).collect();
        assert_eq!(picked, [0, 1, 0, 1]);
    }

    #[test]
    fn without_a_secret_there_are_no_tokens() {
        let pool = pool_of(vec![spec("a"), spec("b")], Rules::default());
        assert_eq!(pool.token(0), None);
        let ask = Ask { token: sticky(&["a", "b"]).token(1), ..ask(NOW, &[]) };
        assert_eq!([0, 1].map(|_| pool.pick(&ask).unwrap().index()), [0, 1]);
    }

    #[test]
    fn tokens_go_by_secret_and_name_and_not_by_place() {
        let mut there = tokens(&sticky(&["a", "b", "c"]));
        let back = tokens(&sticky(&["c", "b", "a"]));
        there.reverse();
        assert_eq!(there, back);
        let other = Rules { sticky: Some(Secret::of("another secret, as long")), ..rules() };
        let other = tokens(&pool_of(vec![spec("c"), spec("b"), spec("a")], other));
        assert!(back.iter().all(|token| !other.contains(token)));
        assert!(back[0] != back[1] && back[1] != back[2] && back[0] != back[2]);
    }

    #[test]
    fn every_bit_of_a_secret_counts() {
        let secrets = [Secret::of("a"), Secret::of("b"), Secret::of("a\0"), Secret::of("")];
        for (index, secret) in secrets.iter().enumerate() {
            assert!(secrets[..index].iter().all(|other| other != secret));
            assert_ne!(secret.0[0], secret.0[1]);
        }
        assert_ne!(Secret::drawn([1, 2]), Secret::drawn([2, 1]));
        assert_eq!(format!("{:?}", secrets[0]), "Secret");
    }

    #[test]
    fn a_backend_that_is_down_drained_or_ejected_moves_the_client_on() {
        let pool = sticky(&["a", "b", "c"]);
        pool.record_check(0, &check(false), NOW);
        assert!(!ways(&pool, 0, NOW).contains(&0));
        pool.record_check(0, &check(true), NOW);
        assert_eq!(ways(&pool, 0, NOW), [0; 8]);
        for mode in [Mode::Drain, Mode::Maint] {
            set_mode(&pool, 0, mode, NOW);
            assert!(!ways(&pool, 0, NOW).contains(&0), "{mode}");
        }
        for _ in 0..PassiveRules::default().failures {
            let lease = pool.pick(&Ask { token: pool.token(1), ..ask(NOW, &[2]) }).unwrap();
            lease.finish(Outcome::Failed(Fault::Reset), NOW);
        }
        assert_eq!(ways(&pool, 1, NOW), [2; 8]);
    }

    #[test]
    fn one_that_is_full_or_has_failed_the_request_moves_it_on() {
        let narrow = Spec { max_connections: 1, ..spec("a") };
        let pool = pool_of(vec![narrow, spec("b")], rules());
        let again = Ask { token: pool.token(0), ..ask(NOW, &[]) };
        let held = pool.pick(&again).unwrap();
        assert_eq!((held.index(), ways(&pool, 0, NOW)), (0, vec![1; 8]));
        drop(held);
        assert_eq!(ways(&pool, 0, NOW), [0; 8]);
        let retry = Ask { tried: &[0], ..again };
        assert_eq!(pool.pick(&retry).unwrap().index(), 1);
    }

    #[test]
    fn slow_start_holds_no_client_back_that_belongs_there() {
        let rules = Rules { slow_start: Duration::from_secs(100), ..rules() };
        let pool = pool_of(vec![spec("a"), spec("b")], rules);
        let back = Duration::from_secs(1);
        pool.record_check(0, &check(false), back);
        pool.record_check(0, &check(true), back);
        assert_eq!(ways(&pool, 0, back), [0; 8]);
        let newcomer = Ask { chance: 1, ..ask(back, &[]) };
        assert_eq!(pool.pick(&newcomer).unwrap().index(), 1);
    }

    #[test]
    fn clients_of_backups_stay_with_them_and_leave_when_another_is_up() {
        let backup = |name| Spec { backup: true, ..spec(name) };
        let pool = pool_of(vec![spec("a"), backup("b"), backup("c")], rules());
        assert_eq!(ways(&pool, 2, NOW), [0; 8]);
        pool.record_check(0, &check(false), NOW);
        assert_eq!(ways(&pool, 2, NOW), [2; 8]);
        assert_eq!(ways(&pool, 1, NOW), [1; 8]);
    }
}
