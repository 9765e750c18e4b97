//! Passwords and tokens in URLs are masked before anybody sees them.

/// A text for people and the network without the secrets in it: `***` in place of the user and password of a URL or an address, and of
/// values that are named as a password, token or key (`?token=…`, `password=…`).
pub fn mask_secrets(text: &str) -> String {
    named_values(&addresses(&urls(text)))
}

/// `scheme://user:password@host`.
fn urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail.find(|c: char| c.is_whitespace() || "/?#\"'`".contains(c)).unwrap_or(tail.len());
        // A password may hold what ends a host; then what stands behind the colon is no port.
        let behind = tail[..end].rsplit_once(':').filter(|(host, _)| !host.contains('['));
        let no_port = behind.is_some_and(|(_, port)| port.parse::<u16>().is_err());
        let word = tail.find(char::is_whitespace).unwrap_or(tail.len());
        let user = tail[..end].rfind('@').or_else(|| tail[..word].rfind('@').filter(|_| no_port));
        match user {
            Some(n) => {
                out.push_str("***");
                rest = &tail[n..];
            }
            None => rest = tail,
        }
    }
    out + rest
}

/// `user:password@host` without a scheme.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let head = &rest[..at];
        let start = head.rfind(|c: char| c.is_whitespace() || "/\"'`,;=(".contains(c)).map_or(0, |n| n + 1);
        let secret = head.get(start..).is_some_and(|user| user.contains(':'));
        out.push_str(if secret { &head[..start] } else { head });
        out.push_str(if secret { "***@" } else { "@" });
        rest = &rest[at + 1..];
    }
    out + rest
}

/// What ends a value.
const ENDS: &str = "&;,#\"'`)} \t\r\n";

fn named_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        let name = head[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap_or("");
        let end = tail.find(|c: char| ENDS.contains(c)).unwrap_or(tail.len());
        let secret = end > 0 && is_secret(name);
        out.push_str(if secret { "***" } else { &tail[..end] });
        rest = &tail[end..];
    }
    out + rest
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let words =
        ["password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "apikey", "api_key", "api-key"];
    let file = name.ends_with("file") || name.ends_with("path");
    !file
        && (words.iter().any(|w| name.contains(w))
            || matches!(name.as_str(), "pw" | "pass" | "pin" | "sig" | "signature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_and_named_values_are_masked_and_the_rest_stays() {
        for (text, shown) in [
            ("rtsp://adm:geheim@10.0.0.5:554/a", "rtsp://***@10.0.0.5:554/a"),
            ("two http://u:p@a/ and https://b@c", "two http://***@a/ and https://***@c"),
            ("https://mes/in?line=7&token=geheim&x=1", "https://mes/in?line=7&token=***&x=1"),
            ("\"rtsp://u:p@ss@h/\"", "\"rtsp://***@h/\""),
            ("password=geheim, password_file=/etc/pw", "password=***, password_file=/etc/pw"),
            ("rtsp://adm:pa/s?s#@10.0.0.5/a", "rtsp://***@10.0.0.5/a"),
            ("http://host:80/a@b", "http://host:80/a@b"),
            ("mqtt.host: `u:geheim@broker`: no", "mqtt.host: `***@broker`: no"),
            ("tcp/u:geheim@host:7447", "tcp/***@host:7447"),
            ("me@mail.example", "me@mail.example"),
            ("tcp/127.0.0.1:7447", "tcp/127.0.0.1:7447"),
            ("a=b", "a=b"),
            ("http://host/", "http://host/"),
            ("rtsp://adm:ge/he?im@h:554/a down", "rtsp://***@h:554/a down"),
            ("http://h:8080/mail/a@b", "http://h:8080/mail/a@b"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ] {
            assert_eq!(mask_secrets(text), shown);
        }
    }
}
