//! Hash: the same key to the same backend, for as long as it is there.
//!
//! A key picks a place in a table in which each backend stands as often as it weighs. The table is
//! Maglev's: a pick is one look, shares are even to within a place (a ring of hashes needs hundreds
//! of points a backend to come within 10 %), and losing one of N backends moves about 1/N of the
//! keys (key % N moves nearly all).
//!
//! Each backend's name shuffles the places into an order of its own; the backends take turns, by
//! weight, and each takes the first of its places that is free. With A and B of weight 1, and 5
//! places:
//!
//! ```text
//! A wants   3 0 2 4 1
//! B wants   0 3 1 4 2
//! turns     A 3, B 0, A 2 (0 is taken), B 1 (3 is taken), A 4
//! table     B B A A A
//! ```
//!
//! Names alone decide, not their order: several Evenlys agree, and so does the next one after a
//! restart. A backend that leaves the file frees its places and moves few others. One that is down
//! keeps them: its keys look at further places until they find a usable one, so they and no others
//! move, to all of the rest, and they come back with it.
//!
//! Source: Eisenbud et al., "Maglev: a fast and reliable software network load balancer", NSDI
//! 2016, section 3.4.

use super::rounds::Rounds;
use super::{Policy, View};
use crate::pool::chance::{self, Dice};
use crate::pool::hash::siphash;

/// A prime, so that any step comes by all places. The paper's smaller size: at 1,000 backends each
/// has 65 or 66 places. The same however many backends there are, or adding one could change the
/// size and so move every key.
const PLACES: usize = 65_537;

/// No place is taken yet.
const FREE: u32 = u32::MAX;

/// Places that a key looks at by chance. With half of the backends usable they all fail one key in
/// 2^32; then the table is walked through from the last.
const LOOKS_MAX: usize = 32;

/// The policy `hash`.
pub struct Hash {
    /// The backend at each place; empty if there is none at all.
    table: Vec<u32>,
}

impl Hash {
    /// For backends of these names and weights.
    pub fn new(names: &[&str], weights: &[u32]) -> Self {
        Self { table: fill(names, weights) }
    }
}

impl Policy for Hash {
    /// A request without a key goes by chance.
    fn pick(&self, view: &dyn View) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let mut dice = Dice::new(view.key().unwrap_or_else(|| view.chance()));
        let mut place = 0;
        for _ in 0..LOOKS_MAX {
            place = chance::below(dice.roll(), PLACES);
            let index = self.table[place] as usize;
            if view.is_usable(index) {
                return Some(index);
            }
        }
        let (before, behind) = self.table.split_at(place);
        let mut further = behind.iter().chain(before).map(|index| *index as usize);
        // Who weighs next to nothing beside the others may have no place at all.
        let all = || (0..view.count()).find(|index| view.is_usable(*index));
        further.find(|index| view.is_usable(*index)).or_else(all)
    }

    fn name(&self) -> &'static str {
        "hash"
    }
}

/// The table: the backends take turns by weight, in the order of their names.
fn fill(names: &[&str], weights: &[u32]) -> Vec<u32> {
    let mut by_name: Vec<usize> = Vec::with_capacity(names.len());
    for index in 0..names.len() {
        let place = by_name.partition_point(|other| names[*other] <= names[index]);
        by_name.insert(place, index);
    }
    let mut wishes: Vec<Wishes> = by_name.iter().map(|index| Wishes::of(names[*index])).collect();
    let mut table = vec![FREE; if names.is_empty() { 0 } else { PLACES }];
    for rank in Rounds::of(by_name.iter().map(|index| weights[*index].into())) {
        let mut free = wishes[rank].by_ref().filter(|place| table[*place] == FREE);
        let Some(place) = free.next() else { break };
        table[place] = by_name[rank] as u32;
    }
    table
}

/// The places in the order in which a backend wants them, each once.
struct Wishes {
    next: usize,
    step: usize,
    left: usize,
}

impl Wishes {
    fn of(name: &str) -> Self {
        // Any two fixed keys do: they make two independent hashes of one.
        let hash = |key| siphash([0, key], name.as_bytes());
        let (next, step) = (chance::below(hash(0), PLACES), chance::below(hash(1), PLACES - 1) + 1);
        Self { next, step, left: PLACES }
    }
}

impl Iterator for Wishes {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.next;
        self.next = (place + self.step) % PLACES;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{Cast, counts, together};

    const KEYS: u64 = 20_000;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("backend{number}")).collect()
    }

    fn hash_of(names: &[String], weights: &[u32]) -> Hash {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Hash::new(&names, weights)
    }

    fn hash(count: usize) -> Hash {
        hash_of(&names(count), &vec![1; count])
    }

    /// Where each of the keys goes.
    fn map(policy: &Hash, view: &mut Cast) -> Vec<usize> {
        let mut pick = |key| {
            view.key = Some(key);
            policy.pick(view).unwrap()
        };
        (0..KEYS).map(|key| pick(siphash([1, 2], &key.to_le_bytes()))).collect()
    }

    fn share(map: &[usize], index: usize) -> f64 {
        map.iter().filter(|picked| **picked == index).count() as f64 / map.len() as f64
    }

    /// The keys that go elsewhere, as a part of all.
    fn moved(before: &[usize], after: &[usize]) -> f64 {
        let moved = before.iter().zip(after).filter(|(before, after)| before != after);
        moved.count() as f64 / before.len() as f64
    }

    #[test]
    fn the_same_key_goes_to_the_same_backend() {
        let mut view = Cast::new(&[true; 5]);
        let first = map(&hash(5), &mut view);
        assert_eq!(first, map(&hash(5), &mut view));
        let goes = |text: &[u8]| {
            let key = Some(siphash([0, 0], text));
            hash(5).pick(&Cast { key, ..Cast::new(&[true; 5]) }).unwrap()
        };
        // Fixed for all versions and machines: another answer here moves everybody's clients.
        let clients = [&b"192.0.2.1"[..], b"192.0.2.2", b"2001:db8::1", b"alice"];
        assert_eq!(clients.map(goes), [2, 2, 4, 3]);
    }

    #[test]
    fn keys_are_shared_evenly() {
        for count in [1, 2, 3, 10, 100] {
            let table = hash(count).table;
            let places = |index| table.iter().filter(|held| **held == index).count();
            let places: Vec<usize> = (0..count as u32).map(places).collect();
            let spread = places.iter().max().unwrap() - places.iter().min().unwrap();
            assert!(spread <= 1, "{places:?}");
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        let mut view = Cast::weighing(&[5, 1, 3, 1]);
        let map = map(&hash_of(&names(4), &view.weights), &mut view);
        for (index, fair) in [0.5, 0.1, 0.3, 0.1].into_iter().enumerate() {
            assert!((share(&map, index) - fair).abs() < 0.01, "{index}: {}", share(&map, index));
        }
    }

    #[test]
    fn losing_one_moves_its_keys_and_no_others_and_they_come_back() {
        let (policy, mut view) = (hash(5), Cast::new(&[true; 5]));
        let before = map(&policy, &mut view);
        view.set(2, false);
        let without = map(&policy, &mut view);
        let lost = before.iter().zip(&without).filter(|(before, _)| **before == 2);
        let lost: Vec<usize> = lost.map(|(_, after)| *after).collect();
        assert_eq!(moved(&before, &without), share(&before, 2), "no other key moves");
        for index in [0, 1, 3, 4] {
            assert!((share(&lost, index) - 0.25).abs() < 0.03, "the rest share them evenly");
        }
        view.set(2, true);
        assert_eq!(map(&policy, &mut view), before);
    }

    #[test]
    fn one_backend_fewer_in_the_file_moves_few_other_keys() {
        for count in [3, 10, 100] {
            let (all, mut view) = (names(count), Cast::new(&vec![true; count]));
            let before = map(&hash(count), &mut view);
            // Gone from the end, so that the indexes of the others stay.
            view.set(count - 1, false);
            let after = map(&hash_of(&all[..count - 1], &vec![1; count - 1]), &mut view);
            let (moved, fair) = (moved(&before, &after), 1.0 / count as f64);
            assert!((0.7 * fair..fair + 0.05).contains(&moved), "{count}: {moved}");
        }
    }

    #[test]
    fn the_order_of_the_file_does_not_matter() {
        let names = names(7);
        let reversed: Vec<String> = names.iter().rev().cloned().collect();
        let (weights, opposite) = ([1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1]);
        let (there, back) = (hash_of(&names, &weights), hash_of(&reversed, &opposite));
        let same = there.table.iter().zip(&back.table).all(|(there, back)| there + back == 6);
        assert!(same, "another name at the same place");
    }

    #[test]
    fn a_thousand_backends_all_get_their_share() {
        let table = hash(1000).table;
        let mut places = vec![0; 1000];
        table.iter().for_each(|index| places[*index as usize] += 1);
        assert!(places.iter().all(|places| (65..=66).contains(places)));
    }

    #[test]
    fn the_last_one_standing_gets_every_key_and_after_it_there_is_nobody() {
        let (policy, mut view) = (hash(100), Cast::new(&[false; 100]));
        view.set(99, true);
        assert!(map(&policy, &mut view).iter().all(|index| *index == 99));
        view.set(99, false);
        assert_eq!(policy.pick(&view), None);
        assert_eq!(hash(0).pick(&Cast::new(&[])), None);
    }

    #[test]
    fn one_without_a_place_is_better_than_none() {
        let policy = hash_of(&names(2), &[1_000_000, 1]);
        assert!(!policy.table.contains(&1));
        assert_eq!(policy.pick(&Cast::new(&[false, true])), Some(1));
    }

    #[test]
    fn without_a_key_chance_decides() {
        let counts = counts(&hash(3), &Cast::new(&[true; 3]), 30_000);
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 600), "{counts:?}");
    }

    #[test]
    fn concurrent_pickers_agree() {
        let policy = hash(5);
        let maps = together(4, |_| map(&policy, &mut Cast::new(&[true, true, false, true, true])));
        assert!(maps.iter().all(|map| *map == maps[0]));
    }
}
