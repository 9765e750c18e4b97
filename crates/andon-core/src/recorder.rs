//! An output that only records its edges, for simulations and tests.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Mono;
use crate::Output;

/// An edge that a recorder was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEdge {
    /// When it was given.
    pub at: Mono,
    /// The level.
    pub on: bool,
}

/// An output that leads nowhere and remembers its edges: for simulation, tests and dry runs.
#[derive(Clone, Debug)]
pub struct Recorder {
    name: String,
    edges: Arc<Mutex<Vec<RecordedEdge>>>,
}

/// Edges that are kept; 10,000 pulses.
const EDGES: usize = 20_000;

impl Recorder {
    /// Nothing recorded yet; storage is reserved at once.
    pub fn new(name: &str) -> Recorder {
        Recorder { name: name.to_owned(), edges: Arc::new(Mutex::new(Vec::with_capacity(EDGES))) }
    }

    /// The edges so far; later ones are appended to it until it is full.
    pub fn edges(&self) -> Vec<RecordedEdge> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Output for Recorder {
    fn name(&self) -> &str {
        &self.name
    }

    fn set(&mut self, on: bool) {
        let mut edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        if edges.last().map_or(on, |last| last.on != on) && edges.len() < EDGES {
            edges.push(RecordedEdge { at: Mono::now(), on });
        }
    }

    fn fault(&self) -> Option<String> {
        None
    }

    fn make_safe(&mut self) {
        self.set(false);
    }
}
