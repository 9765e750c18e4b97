//! How the page is served: checked values, nothing in them has to be asked again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Language;
use andon_io::history::ShiftCalendar;

/// Certificate chain and private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that it was signed by.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How the page is served.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The language of who has chosen none.
    pub language: Language,
    /// HTTPS with these files; HTTP without.
    pub tls: Option<TlsFiles>,
    /// Names by which browsers may call this box, besides its addresses and `localhost`.
    pub names: Vec<String>,
    /// Side of the keys that are touched in a hurry, pixels.
    pub key_px: u32,
    /// Challenges with known bad parts.
    pub challenge: ChallengeRules,
    /// By camera: the band in which brightness tells whether a part is there (left, upper edge, width, height, shares of the picture).
    pub bands: Vec<Option<[f32; 4]>>,
}

/// Challenges with known bad parts.
#[derive(Clone, Debug)]
pub struct ChallengeRules {
    /// How many parts are offered.
    pub parts: u32,
    /// One has to be passed so soon after the start of each shift; none where nobody wants one.
    pub within: Option<Duration>,
    /// When shifts begin.
    pub shifts: ShiftCalendar,
}
