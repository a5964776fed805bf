//! What is to be looked at: keys, each at most once in the queue and at most once in work.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A queue of keys with one reader. Clones share it.
#[derive(Debug)]
pub struct Queue<K>(Arc<Shared<K>>);

#[derive(Debug)]
struct Shared<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    /// What is in `ready`, or came while it was in work.
    wanted: HashSet<K>,
    working: HashSet<K>,
    later: BTreeMap<(Instant, u64), K>,
    /// Where each key stands in `later`.
    due: HashMap<K, (Instant, u64)>,
    /// Tells apart what is due at the same moment.
    sequence: u64,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            wanted: HashSet::new(),
            working: HashSet::new(),
            later: BTreeMap::new(),
            due: HashMap::new(),
            sequence: 0,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: Notify::new(),
        }))
    }
}

impl<K: Clone + Eq + Hash> Queue<K> {
    /// Wants a key to be looked at; once more after the present look, if it is in work.
    pub fn add(&self, key: K) {
        self.lock().want(key);
        self.0.changed.notify_one();
    }

    /// Wants it after a while, or at an earlier moment that was asked for already.
    pub fn add_after(&self, key: K, wait: Duration) {
        self.lock().want_later(key, Instant::now() + wait);
        self.0.changed.notify_one();
    }

    /// The next key, which is in work from now on.
    pub async fn next(&self) -> K {
        loop {
            let due = {
                let mut state = self.lock();
                state.promote(Instant::now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.later.keys().next().map(|(due, _)| *due)
            };
            let changed = self.0.changed.notified();
            match due {
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Work on the key has ended.
    pub fn done(&self, key: &K) {
        let mut state = self.lock();
        state.working.remove(key);
        if state.wanted.contains(key) {
            state.ready.push_back(key.clone());
            self.0.changed.notify_one();
        }
    }

    /// How many keys wait to be looked at now.
    pub fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn want(&mut self, key: K) {
        if self.wanted.insert(key.clone()) && !self.working.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn want_later(&mut self, key: K, at: Instant) {
        if let Some(place) = self.due.get(&key).copied() {
            if place.0 <= at {
                return;
            }
            self.later.remove(&place);
        }
        self.sequence += 1;
        let place = (at, self.sequence);
        self.later.insert(place, key.clone());
        self.due.insert(key, place);
    }

    fn promote(&mut self, now: Instant) {
        while let Some(first) = self.later.first_entry()
            && first.key().0 <= now
        {
            let key = first.remove();
            self.due.remove(&key);
            self.want(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.wanted.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_in_work_once_and_comes_again_if_it_was_wanted_meanwhile() {
        let queue = Queue::default();
        queue.add(1);
        queue.add(1);
        queue.add(2);
        assert_eq!(queue.next().await, 1);
        queue.add(1);
        assert_eq!(queue.next().await, 2);
        assert!(queue.is_empty());
        queue.done(&1);
        assert_eq!(queue.next().await, 1);
        queue.done(&1);
        queue.done(&2);
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_moment_that_was_asked_for_counts() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add_after("late", Duration::from_secs(9));
        queue.add_after("soon", Duration::from_secs(3));
        queue.add_after("late", Duration::from_secs(5));
        queue.add_after("soon", Duration::from_secs(4));
        assert_eq!(queue.next().await, "soon");
        assert_eq!(start.elapsed().as_secs(), 3);
        assert_eq!(queue.next().await, "late");
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_woken_by_what_comes_in() {
        let queue = Queue::default();
        let other = queue.clone();
        let waiting = tokio::spawn(async move { other.next().await });
        queue.add_after(2, Duration::from_secs(60));
        queue.add(1);
        assert_eq!(waiting.await.unwrap(), 1);
    }
}
