//! What turns feature maps into patch features and those into scores.

pub mod aggregate;
pub mod knn;
pub mod regions;
pub mod score;
