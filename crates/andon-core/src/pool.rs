//! Buffers that are lent and come back, so that the hot path allocates nothing in steady state.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crossbeam_channel::{Receiver, Sender, bounded};

/// A fixed set of reusable values. Taking and returning never allocates and never blocks.
pub struct Pool<T> {
    home: Sender<T>,
    free: Receiver<T>,
}

impl<T> Pool<T> {
    /// Makes `count` values up front.
    pub fn new(count: usize, mut make: impl FnMut() -> T) -> Pool<T> {
        let (home, free) = bounded(count.max(1));
        for _ in 0..count {
            // Cannot be full: the channel holds exactly `count`.
            if home.try_send(make()).is_err() {
                break;
            }
        }
        Pool { home, free }
    }

    /// A value, or `None` when all are in use: the caller sheds and counts.
    pub fn take(&self) -> Option<Pooled<T>> {
        self.free.try_recv().ok().map(|value| Pooled { value: Some(value), home: Some(self.home.clone()) })
    }

    /// How many are free now.
    pub fn free(&self) -> usize {
        self.free.len()
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Pool { home: self.home.clone(), free: self.free.clone() }
    }
}

/// A value on loan from a [`Pool`]; goes back when dropped.
pub struct Pooled<T> {
    value: Option<T>,
    home: Option<Sender<T>>,
}

impl<T> Pooled<T> {
    /// A value that belongs to no pool, for tests and for command lines that are not on the line.
    pub fn alone(value: T) -> Pooled<T> {
        Pooled { value: Some(value), home: None }
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match &self.value {
            Some(v) => v,
            None => unreachable!("a pooled value is only taken out by drop"),
        }
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.value {
            Some(v) => v,
            None => unreachable!("a pooled value is only taken out by drop"),
        }
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        if let (Some(value), Some(home)) = (self.value.take(), &self.home) {
            // A pool that is gone, or was over-filled, just lets the value go.
            drop(home.try_send(value));
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pool_says_none_and_a_dropped_loan_comes_back() {
        let pool = Pool::new(2, || vec![0u8; 4]);
        let a = pool.take().unwrap();
        let _b = pool.take().unwrap();
        assert!(pool.take().is_none());
        drop(a);
        assert_eq!(pool.free(), 1);
        assert!(pool.take().is_some());
    }
}
