//! What a log filter may say. The tracing library takes every word for the name of a module, so that `inof` is a valid filter that
//! shows nothing for ever; here a word has to name something.

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Libraries that speak through the same log, by the beginning of their names.
const LIBRARIES: [&str; 18] = [
    "zenoh",
    "rumqttc",
    "ureq",
    "rustls",
    "tokio",
    "axum",
    "hyper",
    "h2",
    "mio",
    "opcua",
    "async_opcua",
    "ort",
    "rten",
    "gstreamer",
    "gpiocdev",
    "rusqlite",
    "tensorrt",
    "tracing",
];

/// Checks a filter such as `info` or `info,andon::capture=debug`: every level has to be one, and every target a module of this program
/// or a library of it.
///
/// # Errors
/// What names nothing, what may have been meant, and the words that there are.
pub fn check_filter(text: &str) -> Result<(), String> {
    if text.split(',').all(|d| d.trim().is_empty()) {
        return Err(format!("it is empty; {}", known()));
    }
    text.split(',').map(str::trim).filter(|d| !d.is_empty()).try_for_each(directive)
}

/// The filter as the log knows it: `andon::capture` is the module `capture` of the crates that have one.
pub fn targets_of(filter: &str) -> String {
    let mut all = Vec::new();
    for directive in filter.split(',').map(str::trim) {
        let (target, level) = directive.split_at(directive.find('=').unwrap_or(directive.len()));
        let before = all.len();
        let named = MODULES.iter().filter(|(short, _)| *short == target && target != "andon");
        all.extend(named.map(|(_, module)| format!("{module}{level}")));
        if all.len() == before {
            all.push(directive.to_owned());
        }
    }
    all.join(",")
}

fn known() -> String {
    let (last, first) = LEVELS.split_last().unwrap_or((&"", &[]));
    format!("give {} or {last}, or a filter such as info,andon::capture=debug", first.join(", "))
}

fn directive(text: &str) -> Result<(), String> {
    // The fields of a span may hold anything; this program's messages stand in no spans.
    if text.contains(['[', ']', '{', '}']) {
        return Err(format!("`{text}` asks for a span, and there are none; {}", known()));
    }
    match text.split_once('=') {
        Some((target, level)) => {
            if !is_level(level) {
                return Err(format!("`{level}` in `{text}` is not a level{}; {}", meant(level, LEVELS), known()));
            }
            is_target(target)
        }
        None if is_level(text) => Ok(()),
        None if text.contains("::") || text.starts_with("andon") => is_target(text),
        None if LIBRARIES.iter().any(|l| text.starts_with(l)) => Ok(()),
        None => Err(format!("`{text}` is not a level{}; {}", meant(text, LEVELS), known())),
    }
}

fn is_level(text: &str) -> bool {
    LEVELS.iter().any(|l| l.eq_ignore_ascii_case(text))
}

fn is_target(text: &str) -> Result<(), String> {
    let root = text.split("::").next().unwrap_or_default();
    let ours = MODULES.iter().any(|(short, module)| text == *short || text == *module);
    if ours || text == "andon" || (root != "andon" && LIBRARIES.iter().any(|l| root.starts_with(l))) {
        return Ok(());
    }
    let near = meant(text, MODULES.iter().map(|(short, _)| *short));
    Err(format!("there is no module `{text}` in this program{near}; {}", known()))
}

/// `, did you mean ...?` if something is near.
fn meant(word: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    super::keys::nearest_of(word, known).map_or(String::new(), |near| format!(", did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_name_something_are_taken() {
        for filter in [
            "info",
            "WARN",
            "off",
            "info,andon::capture=debug",
            "warn, andon=trace",
            "andon::capture",
            "info,andon::sinks::zenoh=debug",
            "info,andon_io::sinks::zenoh=debug",
            "error,zenoh=info,zenoh_transport::unicast=debug",
            "info,",
        ] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn filters_that_name_nothing_are_refused_with_what_was_meant() {
        for (filter, words) in [
            ("inof", "did you mean `info`?"),
            ("verbose", "error, warn, info, debug, trace or off"),
            ("", "empty"),
            (",", "empty"),
            ("info,andon::captrue=debug", "did you mean `andon::capture`?"),
            ("info,andon::capture::pipelnie=debug", "did you mean `andon::capture::pipeline`?"),
            ("info,andno=debug", "no module `andno`"),
            ("info,andon::capture=debgu", "did you mean `debug`?"),
            ("info,andon::capture=", "`` in `andon::capture=` is not a level"),
            ("5", "`5` is not a level"),
            ("a=b=c", "`b=c`"),
            ("info,=debug", "no module ``"),
            ("[part]=info", "span"),
        ] {
            let why = check_filter(filter).unwrap_err();
            assert!(why.contains(words) && why.contains("info,andon::capture=debug"), "{filter}: {why}");
        }
    }

    #[test]
    fn the_modules_are_those_of_the_sources() {
        let has = |short: &str, module: &str| MODULES.contains(&(short, module));
        assert!(has("andon::config::filter", "andon::config::filter"));
        assert!(has("andon::runtime", "andon_line::runtime") && has("andon::queue", "andon_core::queue"));
        assert!(!MODULES.iter().any(|(_, m)| m.ends_with("::mod") || m.ends_with("::tests")), "{MODULES:?}");
    }

    #[test]
    fn a_filter_reaches_the_crate_that_has_the_module() {
        assert_eq!(targets_of("info"), "info");
        assert_eq!(targets_of("andon=debug"), "andon=debug");
        assert_eq!(targets_of("info, andon::capture=debug,zenoh=warn"), "info,andon_io::capture=debug,zenoh=warn");
        assert_eq!(targets_of("andon::cli::run"), "andon::cli::run");
    }
}
