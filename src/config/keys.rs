//! Finds keys that nobody reads, and the one that was meant.

use serde_json::Value;

/// A key that the configuration does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Dotted path.
    pub path: String,
    /// Line in the file, from 1, where there is a file.
    pub line: Option<usize>,
    /// The nearest key that exists there, if any is near.
    pub nearest: Option<String>,
}

/// Walks a parsed TOML file along the JSON Schema of the configuration.
pub fn unknown_in_toml(text: &str, table: &toml::de::DeTable<'_>, schema: &Value) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    walk_toml(text, table, schema, schema, "", &mut found);
    found
}

fn walk_toml(
    text: &str,
    table: &toml::de::DeTable<'_>,
    root: &Value,
    schema: &Value,
    prefix: &str,
    found: &mut Vec<UnknownKey>,
) {
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let path = join(prefix, name);
        match child(root, schema, name) {
            Some(inner) => {
                if let toml::de::DeValue::Table(t) = value.get_ref() {
                    walk_toml(text, t, root, inner, &path, found);
                }
            }
            None => {
                let line = text[..key.span().start.min(text.len())].matches('\n').count() + 1;
                found.push(UnknownKey { nearest: nearest(schema, name, prefix), path, line: Some(line) });
            }
        }
    }
}

/// Checks one dotted path, as from an environment variable; `None` if the configuration knows it.
pub fn unknown_path(parts: &[String], root: &Value) -> Option<UnknownKey> {
    let mut schema = root;
    let mut prefix = String::new();
    for part in parts {
        let path = join(&prefix, part);
        match child(root, schema, part) {
            Some(inner) => schema = inner,
            None => return Some(UnknownKey { nearest: nearest(schema, part, &prefix), path, line: None }),
        }
        prefix = path;
    }
    None
}

/// The schema of a key below `schema`; follows `$ref`, maps (`additionalProperties`) and optional values.
fn child<'a>(root: &'a Value, schema: &'a Value, key: &str) -> Option<&'a Value> {
    let schema = resolve(root, schema);
    if let Some(inner) = schema.get("properties").and_then(|p| p.get(key)) {
        return Some(resolve(root, inner));
    }
    match schema.get("additionalProperties") {
        Some(inner) if inner.is_object() => Some(resolve(root, inner)),
        _ => None,
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        return root.pointer(pointer.trim_start_matches('#')).unwrap_or(schema);
    }
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array)
        && let Some(first) = options.iter().find(|o| o.get("type").and_then(Value::as_str) != Some("null"))
    {
        return resolve(root, first);
    }
    schema
}

fn nearest(schema: &Value, key: &str, prefix: &str) -> Option<String> {
    let known = schema.get("properties")?.as_object()?;
    nearest_of(key, known.keys().map(String::as_str)).map(|name| join(prefix, name))
}

/// The word that was probably meant, if one is near.
pub fn nearest_of<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |k: &str| strsim::jaro_winkler(&k.to_lowercase(), &word.to_lowercase());
    let (name, similarity) = known.into_iter().map(|k| (k, alike(k))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (similarity > 0.7).then_some(name)
}

/// What the schema says about one dotted path.
pub fn at_path<'a>(parts: &[String], root: &'a Value) -> Option<&'a Value> {
    parts.iter().try_fold(root, |schema, part| child(root, schema, part))
}

/// Whether a value there is a list.
pub fn is_list(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "array",
        Some(Value::Array(kinds)) => kinds.iter().any(|k| k == "array"),
        _ => false,
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
