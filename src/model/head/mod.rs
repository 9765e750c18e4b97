//! What turns patch features into scores.

pub mod nearest;
