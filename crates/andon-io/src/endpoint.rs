//! Addresses as text: what is wrong with them before anybody connects.

/// Why a text is not `HOST:PORT`, with IPv6 hosts in brackets; `None` if it is.
pub fn host_and_port_fault(text: &str) -> Option<String> {
    let wrong = |why: &str| Some(format!("{why}; write HOST:PORT, such as 192.168.1.50:502 or [fd00::5]:502"));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || (host.starts_with('[') && host.ends_with(']')) => (host, port),
        Some(_) if text.ends_with(']') => return wrong("the port is missing"),
        Some(_) => return wrong("an IPv6 address stands in brackets"),
        None => return wrong("the port is missing"),
    };
    if let Some(why) = host_fault(host.trim_start_matches('[').trim_end_matches(']')) {
        return wrong(&why);
    }
    match port.parse::<u16>() {
        Ok(1..) => None,
        _ => wrong(&format!("`{port}` is not a port from 1 to 65535")),
    }
}

/// Why a text is neither the name nor the address of a host; `None` if it is one.
pub fn host_fault(host: &str) -> Option<String> {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if host.is_empty() {
        return Some("the host is missing".to_owned());
    }
    if let Some(odd) = host.chars().find(|c| !fits(*c)) {
        return Some(format!("a host holds no `{}`", odd.escape_default()));
    }
    // Four numbers are meant as an address, and one above 255 is none.
    let numbers = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    numbers.then(|| format!("`{host}` is not an address"))
}

/// Why a text is not an endpoint of Zenoh such as `tcp/192.168.1.10:7447`; `None` if it is.
pub fn zenoh_fault(endpoint: &str) -> Option<String> {
    let Some((protocol, rest)) = endpoint.split_once('/') else {
        return Some("the protocol is missing; write tcp/HOST:PORT or tls/HOST:PORT".to_owned());
    };
    let address = rest.split(['?', '#']).next().unwrap_or_default();
    match protocol {
        // Port 0 takes any that is free.
        "tcp" | "tls" if address.ends_with(":0") => None,
        "tcp" | "tls" => {
            // Zenoh listens on an interface's name and on `*` too.
            let listens_everywhere = address.strip_prefix("*:").map(|port| format!("0.0.0.0:{port}"));
            host_and_port_fault(listens_everywhere.as_deref().unwrap_or(address))
                .map(|why| why.replace("HOST:PORT", &format!("{protocol}/HOST:PORT")))
        }
        "unixsock-stream" if address.is_empty() => Some("the path of the socket is missing".to_owned()),
        "unixsock-stream" => None,
        other => Some(format!("this build speaks tcp, tls and unixsock-stream, not `{other}`")),
    }
}

/// Why a text is not the URL of a web server; `None` if it is.
pub fn url_fault(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest else {
        return Some("begins with neither http:// nor https://".to_owned());
    };
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("holds a space".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let without_port = address.ends_with(']') || !address.contains(':');
    match without_port {
        true => host_fault(address.trim_start_matches('[').trim_end_matches(']')),
        false => host_and_port_fault(address).map(|why| why.split(';').next().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_host_or_port_are_refused_with_what_is_missing() {
        for good in ["192.168.1.50:502", "io-module.plant:502", "[fd00::5]:502", "localhost:1"] {
            assert_eq!(host_and_port_fault(good), None, "{good}");
        }
        for (bad, words) in [
            ("192.168.1.50", "port is missing"),
            ("[fd00::5]", "port is missing"),
            ("fd00::5:502", "brackets"),
            (":502", "host is missing"),
            ("host:", "`` is not a port"),
            ("host:0", "`0` is not a port"),
            ("host:70000", "`70000`"),
            ("tcp://host:502", "brackets"),
            ("ho st:502", "` `"),
            ("192.168.1.500:502", "192.168.1.500"),
            ("", "port is missing"),
        ] {
            let why = host_and_port_fault(bad).unwrap_or_default();
            assert!(why.contains(words) && why.contains("HOST:PORT"), "{bad}: {why}");
        }
    }

    #[test]
    fn endpoints_and_urls_are_looked_at_alike() {
        for good in ["tcp/127.0.0.1:7447", "tls/router.plant:7447?rel=1", "tcp/*:7447", "unixsock-stream//run/a.sock"] {
            assert_eq!(zenoh_fault(good), None, "{good}");
        }
        for (bad, words) in [
            ("tcp/192.168.1.10", "port is missing; write tcp/HOST:PORT"),
            ("192.168.1.10:7447", "protocol is missing"),
            ("quic/host:7447", "not `quic`"),
            ("tls/:7447", "host is missing"),
        ] {
            assert!(zenoh_fault(bad).unwrap_or_default().contains(words), "{bad}");
        }
        for good in ["http://127.0.0.1:8090/andon", "https://mes.plant/a?b=c", "http://u:p@[fd00::5]/", "http://host"] {
            assert_eq!(url_fault(good), None, "{good}");
        }
        for (bad, words) in [
            ("ftp://host", "neither"),
            ("http://", "host is missing"),
            ("http://host:99999/", "`99999`"),
            ("http:///path", "host is missing"),
            ("http://a b/", "space"),
            ("http://host:/x", "`` is not a port"),
        ] {
            assert!(url_fault(bad).unwrap_or_default().contains(words), "{bad}: {:?}", url_fault(bad));
        }
    }
}
