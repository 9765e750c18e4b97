use super::*;

const CAMERA: &str = "[cameras.top]\npipeline = \"test\"\nmodel = \"part.andon\"\n";

fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("andon.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn refusal(text: &str) -> String {
    let (_dir, path) = write(text);
    load(Some(&path), env(&[]), &[]).unwrap_err().to_string()
}

#[test]
fn the_manual_is_a_valid_configuration_and_states_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml");
    let loaded = load(Some(&path), env(&[]), &[]).unwrap();
    let mut raw = loaded.raw;
    let top = raw.cameras.remove("top").unwrap();
    let written: RawCameraDefaults = toml::from_str("pipeline = \"v4l2\"\nmodel = \"part.andon\"").unwrap();
    assert_eq!(top.deadline_ms, written.deadline_ms);
    assert_eq!(toml::to_string(&raw).unwrap(), toml::to_string(&Raw::default()).unwrap());
}

type RawCameraDefaults = crate::config::RawCamera;

#[test]
fn every_key_of_the_schema_is_in_the_manual() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml")).unwrap();
    let schema = schema();
    let mut tables = vec![&schema];
    tables.extend(schema["$defs"].as_object().unwrap().values());
    for table in tables {
        for key in table["properties"].as_object().into_iter().flat_map(|p| p.keys()) {
            assert!(text.contains(key.as_str()), "`{key}` is not explained in config/andon.toml");
        }
    }
}

#[test]
fn later_layers_win() {
    let (_dir, path) = write(&format!("site = \"file\"\nline = \"file\"\n{CAMERA}"));
    let vars = env(&[("ANDON__LINE", "env"), ("ANDON__STATION", "env"), ("ANDON__CAMERAS__TOP__DEADLINE_MS", "40")]);
    let loaded = load(Some(&path), vars, &[("station", "flag".into())]).unwrap();
    let c = loaded.config;
    assert_eq!((c.site.as_str(), c.line.as_str(), c.station.as_str()), ("file", "env", "flag"));
    assert_eq!(c.cameras[0].deadline.as_millis(), 40);
    assert_eq!(c.cameras[0].model, path.parent().unwrap().join("part.andon"));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let text = refusal("site = \"a\"\n\n[engine]\nthraeds = 2\n");
    assert!(
        text.contains("andon.toml:4") && text.contains("`engine.thraeds`") && text.contains("`engine.threads`"),
        "{text}"
    );
    let text = refusal(&format!("{CAMERA}dead_line = 3\n"));
    assert!(text.contains(":4") && text.contains("did you mean `cameras.top.deadline_ms`?"), "{text}");
}

#[test]
fn an_unknown_variable_of_the_environment_is_named() {
    let text = load(None, env(&[("ANDON__ENGINE__KNID", "rten")]), &[]).unwrap_err().to_string();
    assert!(text.contains("engine.knid") && text.contains("did you mean `engine.kind`?"), "{text}");
    assert!(load(None, env(&[("ANDON_LOG", "debug"), ("PATH", "/bin")]), &[]).is_ok(), "other variables are not ours");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    let text = refusal("[engine]\nthreads = \"two\"\n");
    assert!(text.contains("line 2") && text.contains("invalid type"), "{text}");
    let text = refusal("[engine]\nkind = \"fast\"\n");
    assert!(text.contains("line 2") && text.contains("rten"), "{text}");
    let text = load(None, env(&[("ANDON__ENGINE__THREADS", "two")]), &[]).unwrap_err().to_string();
    assert!(text.contains("engine.threads"), "{text}");
}

#[test]
fn everything_out_of_range_is_listed_at_once() {
    let text = refusal(
        "site = \"a/b\"\n[metrics]\nlisten = \"here\"\n[cameras.top]\npipeline = \"\"\nmodel = \"m\"\ndeadline_ms = 0\nthreshold = -1.0\n[engine]\nmax_wait_ms = -1.0\n",
    );
    for word in ["engine.max_wait_ms:", "site:", "metrics.listen:", "pipeline:", "deadline_ms:", "threshold:"] {
        assert!(text.contains(word), "{word} missing in {text}");
    }
}

#[test]
fn broken_toml_and_absent_files_are_named() {
    assert!(refusal("site = \n").contains("line 1"));
    let text = load(Some(Path::new("/nonexistent/andon.toml")), env(&[]), &[]).unwrap_err().to_string();
    assert!(text.contains("/nonexistent/andon.toml"), "{text}");
}

#[test]
fn the_merged_configuration_can_be_written_and_read_back() {
    let (_dir, path) = write(CAMERA);
    let shown = toml::to_string(&load(Some(&path), env(&[]), &[]).unwrap().raw).unwrap();
    let (_dir2, again) = write(&shown);
    assert!(load(Some(&again), env(&[]), &[]).is_ok(), "{shown}");
}
