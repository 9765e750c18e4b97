//! EfficientAD: a student learns to say of good pictures what a fixed teacher says of them, and an autoencoder what the teacher says of the whole;
//! where they do not agree, something is there that was not learned. Source: Batzner, Heckler and König, "EfficientAD: Accurate Visual Anomaly
//! Detection at Millisecond-Level Latencies", WACV 2024.

mod passes;

pub use passes::{Form, Networks, passes};
