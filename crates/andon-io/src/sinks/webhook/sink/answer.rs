//! What an HTTP answer means for the records that were sent.

use std::io::Read;
use std::time::Duration;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The server has the records.
    Taken,
    /// The server will not take this content, however often it is sent.
    Refused {
        /// Its answer, without secrets.
        why: String,
    },
    /// It may work later.
    Failed {
        /// What happened, without secrets.
        why: String,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
}

/// A server may ask for this pause at most.
const MOST: Duration = Duration::from_secs(300);
/// Bytes of the answer's body that are looked at.
const BODY: u64 = 512;

/// Reads an answer to a request with a body of so many bytes.
pub(super) fn read(mut response: ureq::http::Response<ureq::Body>, sent: usize, masked: &Masked) -> Answer {
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let (kind, location, retry_after) = (header("content-type"), header("location"), header("retry-after"));
    let status = response.status().as_u16();
    let mut body = Vec::new();
    // What has come until a fault is enough to know a page by.
    drop(response.body_mut().as_reader().take(BODY).read_to_end(&mut body));
    let failed = |why: String, wait| Answer::Failed { why, wait };
    match status {
        200..=299 if is_page(kind.as_deref(), &body) => {
            let why = "answers with a page of HTML instead of taking the records, as the login page of a network does";
            failed(format!("{why} (status {status})"), None)
        }
        200..=299 => Answer::Taken,
        300..=399 => {
            let to = location.map_or_else(|| "nowhere".to_owned(), |l| masked.location(&l));
            failed(format!("redirects to {to} (status {status}); webhook.url has to name the final address"), None)
        }
        413 => Answer::Refused { why: format!("does not take {sent} bytes in one request (status 413)") },
        400 | 409 | 422 => Answer::Refused { why: format!("refuses the content (status {status})") },
        401 | 403 => failed(format!("does not let this box in (status {status}); is webhook.token_file right?"), None),
        404 | 405 | 410 => failed(format!("does not know the address (status {status}); is webhook.url right?"), None),
        429 | 503 => {
            let wait = retry_after.and_then(|text| wait(&text, jiff::Timestamp::now())).map(|w| w.min(MOST));
            let asked = wait.map_or_else(String::new, |w| format!(", and asks to wait {} s", w.as_secs()));
            failed(format!("is too busy (status {status}{asked})"), wait)
        }
        _ => failed(format!("answers with status {status}"), None),
    }
}

/// Whether an answer is a page for people. A server that names its empty or one-word answer `text/html`, as many frameworks do by
/// default, has not sent a page.
fn is_page(kind: Option<&str>, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_ascii_lowercase();
    let html = kind.is_some_and(|k| k.to_ascii_lowercase().contains("html"));
    text.starts_with("<!doctype html") || text.starts_with("<html") || (html && text.starts_with('<'))
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

/// The address without what may be secret in it: user, password, path (a token with some services) and query.
#[derive(Debug)]
pub(super) struct Masked {
    /// Scheme, host and port.
    pub origin: String,
    /// What is never written down.
    secrets: Vec<String>,
}

impl Masked {
    pub fn new(url: &str) -> Masked {
        let (origin, rest) = split(url);
        let authority = url.split("://").nth(1).unwrap_or(url).split(['/', '?', '#']).next().unwrap_or_default();
        let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
        let parts = rest.split(['/', '?', '&', '#', '=']).chain(login.split(':'));
        // Short words such as `hook` or `v1` are no secrets, and would garble the message.
        let mut secrets: Vec<String> = parts.filter(|p| p.len() >= 8).map(str::to_owned).collect();
        secrets.extend(login.split(':').filter(|p| !p.is_empty()).map(str::to_owned));
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Masked { origin, secrets }
    }

    /// A text of somebody else's without the address's secrets.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// Where a redirect leads: without login, query and what it shares with the secrets of the address.
    fn location(&self, location: &str) -> String {
        let short: String = location.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
        let (origin, rest) = split(&short);
        self.mask(&if short.contains("://") { format!("{origin}{rest}") } else { short })
    }
}

/// Scheme, host and port of an address without the login, and the rest.
fn split(url: &str) -> (String, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (format!("{scheme}://{host}"), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_known_by_what_they_hold() {
        assert!(is_page(Some("text/html; charset=utf-8"), b"\n <p>Please log in</p>"));
        assert!(is_page(None, b"\xef\xbb\xbf<!DOCTYPE HTML><title>Guest</title>"));
        assert!(!is_page(Some("text/html"), b"ok") && !is_page(Some("text/html"), b""), "as Flask and PHP answer");
        assert!(!is_page(Some("application/xml"), b"<ok/>"));
    }

    #[test]
    fn the_pause_that_a_server_asks_for_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        assert_eq!(wait("7", now), Some(Duration::from_secs(7)));
        assert_eq!(wait("Thu, 26 Nov 2026 10:01:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(wait("Thu, 26 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(wait("soon", now), None);
    }

    #[test]
    fn an_address_in_the_log_holds_no_secret() {
        let masked = Masked::new("https://me:pw@hooks.example:8443/services/T0001/abcdefghijkl?key=0123456789");
        assert_eq!(masked.origin, "https://hooks.example:8443");
        let said =
            masked.mask("cannot reach https://me:pw@hooks.example:8443/services/T0001/abcdefghijkl?key=0123456789");
        assert!(!said.contains("pw@") && !said.contains("abcdefghijkl") && !said.contains("0123456789"), "{said}");
        assert_eq!(
            masked.location("https://a:b@portal.example/login?next=abcdefghijkl"),
            "https://portal.example/login"
        );
        assert_eq!(masked.location("/services/T0001/abcdefghijkl/"), "/***/T0001/***/");
        assert_eq!(Masked::new("http://127.0.0.1:80/hook").location("/hook/"), "/hook/");
    }
}
