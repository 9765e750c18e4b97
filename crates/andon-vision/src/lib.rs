//! Learns what good parts look like and scores pictures against it. Knows no camera, no belt and no thread of a line.
//!
//! The modules stand in the order in which a picture meets them; a module uses only those above it.

pub mod preprocess;
pub mod model;

pub mod fit;
pub mod methods;

pub mod eval;
pub mod search;
pub mod import;
