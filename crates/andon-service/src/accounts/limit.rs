//! How often somebody may try to log in: after three attempts that failed, each further one waits twice as long, by user and by address.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use andon_core::Mono;

/// So many attempts are free.
const FREE: u32 = 3;
/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);
/// Attempts are forgotten after this.
const FORGET: Duration = Duration::from_secs(900);
/// Names and addresses that are remembered at most; the oldest are forgotten first.
const MOST: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Attempts {
    failed: u32,
    last: Mono,
}

/// Counts attempts to log in by user and by address. No clock inside: it is told the time.
#[derive(Debug, Default)]
pub struct LoginLimit {
    attempts: Mutex<HashMap<(bool, String), Attempts>>,
    /// Hashing takes 19 MB and a processor: one at a time, however many ask.
    hashing: Mutex<()>,
}

impl LoginLimit {
    /// How long to wait before the next attempt; `None` if it may be made now.
    pub fn wait(&self, user: &str, from: &str, now: Mono) -> Option<Duration> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = keys(user, from).into_iter().filter_map(|key| {
            let Attempts { failed, last } = *attempts.get(&key)?;
            let over = failed.checked_sub(FREE)?;
            let delay = FIRST.saturating_mul(1 << over.min(16)).min(LONGEST);
            delay.checked_sub(now.since(last)).filter(|left| !left.is_zero())
        });
        waits.max()
    }

    /// An attempt begins; it counts as failed until it [`succeeded`](LoginLimit::succeeded).
    pub fn attempt(&self, user: &str, from: &str, now: Mono) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= MOST {
            attempts.retain(|_, a| now.since(a.last) < FORGET);
        }
        if attempts.len() >= MOST
            && let Some(oldest) = attempts.iter().min_by_key(|(_, a)| a.last).map(|(key, _)| key.clone())
        {
            attempts.remove(&oldest);
        }
        for key in keys(user, from) {
            let known = attempts.entry(key).or_insert(Attempts { failed: 0, last: now });
            let failed = if now.since(known.last) < FORGET { known.failed } else { 0 };
            *known = Attempts { failed: failed.saturating_add(1), last: now };
        }
    }

    /// The attempt was right: nothing is held against user and address any more.
    pub fn succeeded(&self, user: &str, from: &str) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(user, from) {
            attempts.remove(&key);
        }
    }

    pub(super) fn one_at_a_time<T>(&self, work: impl FnOnce() -> T) -> T {
        let _turn = self.hashing.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

fn keys(user: &str, from: &str) -> [(bool, String); 2] {
    [(true, user.chars().take(40).collect()), (false, from.to_owned())]
}
