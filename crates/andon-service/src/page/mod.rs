//! The operator's page: a server of its own with few threads of the lowest priority. It may be slow, killed or flooded, and no verdict is
//! late: it gets its records by a sink that sheds, and asks nothing of the line but by the acts.
//!
//! ```text
//! browser ─► server (limits, TLS) ─► guard (Host, CSRF, headers) ─► routes ─► view
//!                                                                     └────► act::Service
//! ```

mod aid;
mod assets;
mod challenge;
mod backup;
mod events;
mod forms;
mod guard;
mod kept;
mod lang;
mod models;
mod numbers;
mod options;
mod pictures;
mod routes;
mod server;
mod site;
mod tls;
mod users;
mod view;
mod visitor;

pub use lang::Language;
pub use options::{ChallengeRules, PageOptions, TlsFiles};
pub use pictures::{KeptFiles, Picture, PictureKind, PictureSource, SetUpPicture};
pub use server::{PageError, PageServer, PageSpec};

#[cfg(test)]
mod tests;
