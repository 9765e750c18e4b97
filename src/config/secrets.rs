//! Texts of a configuration on their way out: to `config show`, to Zenoh's `cfg`, into messages.

use serde::Serialize;
use serde_json::Value;

use andon_core::mask_secrets;

/// What stands in place of a secret.
const MASK: &str = "***";

/// A text without passwords.
pub fn without_secrets(text: &str) -> String {
    mask_secrets(text)
}

/// A configuration with `***` in place of every password, token and key.
///
/// # Errors
/// None that a configuration could cause; serde's.
pub fn masked(value: &impl Serialize) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(value)?;
    mask(&mut value, "");
    Ok(value)
}

fn mask(value: &mut Value, name: &str) {
    match value {
        Value::String(text) if is_secret(name) && !text.is_empty() => *text = MASK.to_owned(),
        Value::String(text) => *text = without_secrets(text),
        Value::Array(list) => list.iter_mut().for_each(|item| mask(item, name)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, item)| mask(item, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a value by this name is a secret itself. Files that hold secrets are named by their paths, which are none.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    let file = ["_file", "_path"].iter().any(|end| name.ends_with(end));
    let words =
        ["password", "passwd", "passphrase", "passwort", "pwd", "secret", "token", "credential", "api_key", "apikey"];
    !file && (words.iter().any(|w| name.contains(w)) || ["pw", "pass", "pin"].contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_tokens_and_urls_are_masked_and_everything_else_stays() {
        let raw = serde_json::json!({
            "cameras": { "top": { "vars": { "URL": "rtsp://adm:geheim@10.0.0.5/a", "PASSWORD": "geheim", "DEVICE": "/dev/video0" } } },
            "webhook": { "url": "https://u:geheim@mes/a?token=geheim", "token_file": "/etc/andon/token" },
            "zenoh": { "connect": ["tls/host:7447#token=geheim"] },
            "mqtt": { "password_file": "/etc/andon/pw", "key": "/etc/andon/box.key" },
        });
        let shown = masked(&raw).unwrap().to_string();
        assert!(!shown.contains("geheim"), "{shown}");
        for kept in ["10.0.0.5/a", "/dev/video0", "/etc/andon/token", "/etc/andon/pw", "/etc/andon/box.key", "***"] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
    }
}
