//! Who looks at the page: what the cookies of a request say.

use axum::http::{HeaderMap, HeaderValue, header};

use super::kept::CountedBy;
use super::lang::{self, Texts};
use super::site::Site;
use super::{Language, guard};
use crate::accounts::{Session, random_token};

/// The session's token.
pub(super) const SESSION: &str = "andon_session";
/// A random value that the tokens of forms are made with.
pub(super) const FORM: &str = "andon_form";
/// Theme and language, such as `light.de`.
pub(super) const LOOK: &str = "andon_look";

/// What the counters of the live page are counted by.
pub(super) const COUNTED: &str = "andon_counted";

/// Who looks at the page, and how.
pub(super) struct Visitor {
    pub session: Option<Session>,
    /// Goes with every form.
    pub csrf: String,
    pub language: Language,
    pub light: bool,
    pub counted: CountedBy,
    pub t: &'static Texts,
    /// Cookies that the answer sets.
    pub cookies: Vec<String>,
    /// There is no user yet, so nobody can log in.
    pub no_users: bool,
}

/// The value of a cookie.
pub(super) fn cookie<'a>(head: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = head.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

impl Visitor {
    /// Asks the cookies; `uses` keeps the session alive.
    pub fn of(site: &Site, head: &HeaderMap, uses: bool) -> Visitor {
        let token = cookie(head, SESSION);
        let (session, no_users) = tokio::task::block_in_place(|| {
            let session = token.and_then(|token| {
                site.accounts().session(token, uses).unwrap_or_else(|e| {
                    tracing::error!("a session cannot be looked up: {e}");
                    None
                })
            });
            (session, site.accounts().users().is_ok_and(|users| users.is_empty()))
        });
        let mut cookies = Vec::new();
        let form = match cookie(head, FORM) {
            Some(form) if form.len() == 64 => form.to_owned(),
            _ => {
                // Without random numbers there is no token that fits, and every form is refused.
                let form = random_token().unwrap_or_default();
                cookies.push(set(site, FORM, &form));
                form
            }
        };
        let look = cookie(head, LOOK).unwrap_or_default();
        let (theme, code) = look.split_once('.').unwrap_or_default();
        let language = Language::of(code).unwrap_or(site.options.language);
        let csrf = guard::csrf(&form, token.unwrap_or_default());
        let counted = CountedBy::of(cookie(head, COUNTED).unwrap_or_default()).unwrap_or_default();
        let t = lang::texts(language);
        Visitor { session, csrf, language, light: theme == "light", counted, t, cookies, no_users }
    }

    /// The cookies as headers.
    pub fn headers(&self) -> HeaderMap {
        let values = self.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok());
        values.map(|value| (header::SET_COOKIE, value)).collect()
    }
}

/// A cookie for the time that the browser is open.
pub(super) fn set(site: &Site, name: &str, value: &str) -> String {
    let secure = if site.options.tls.is_some() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}")
}
