//! What every request has to pass: the Host has to be this box (against DNS rebinding), a POST has to come from a form of this page, and every
//! answer says what a browser may do with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::site::Site;
use super::visitor::{FORM, SESSION, cookie};

const POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";

/// The token of a form: only who has the cookies can know it, and scripts of other sites have not.
pub(super) fn csrf(form: &str, session: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("andon page: token of a form");
    hasher.update(form.as_bytes()).update(b"/").update(session.as_bytes());
    hasher.finalize().to_hex().to_string()
}

/// Whether a token belongs to the cookies of the request. Compares in constant time.
pub(super) fn is_ours(head: &HeaderMap, token: &str) -> bool {
    let Some(form) = cookie(head, FORM).filter(|form| form.len() == 64) else { return false };
    let expected = csrf(form, cookie(head, SESSION).unwrap_or_default());
    match (blake3::Hash::from_hex(token), blake3::Hash::from_hex(&expected)) {
        (Ok(given), Ok(expected)) => given == expected,
        _ => false,
    }
}

/// The host of a Host header or an origin, without the port.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// An address cannot be rebound to another one; a name can, so only names that are ours will do.
pub(super) fn host_is_ours(authority: &str, names: &[String]) -> bool {
    let host = host(authority);
    let named = |name: &String| host.eq_ignore_ascii_case(name) || host.eq_ignore_ascii_case(&format!("{name}.local"));
    host.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost") || names.iter().any(named)
}

fn refused(request: &Request, names: &[String]) -> Option<String> {
    let head = request.headers();
    let text = |name: HeaderName| head.get(name).and_then(|v| v.to_str().ok());
    let authority = text(header::HOST).unwrap_or_default();
    if !host_is_ours(authority, names) {
        let shown: String = authority.chars().take(100).collect();
        return Some(format!("`{shown}` is no name of this box; page.names in its configuration allows further ones"));
    }
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return None;
    }
    // What a browser says of where a form came from; older ones say nothing, and the form's token decides.
    let foreign = match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(authority)),
        None => text(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site != "same-origin"),
    };
    foreign.then(|| "this form came from another site".to_owned())
}

/// Refuses what is not for us, and adds the headers.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let is_page = !request.uri().path().starts_with("/assets/");
    let mut response = match refused(&request, &site.options.names) {
        None => next.run(request).await,
        Some(why) => {
            site.refused.fetch_add(1, Relaxed);
            (StatusCode::FORBIDDEN, why).into_response()
        }
    };
    let head = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        head.insert(name, HeaderValue::from_static(value));
    }
    if is_page && !head.contains_key(header::CACHE_CONTROL) {
        // An old verdict must not come back from a cache.
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
