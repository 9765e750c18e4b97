//! The house rules that a program can check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common;

/// What each module may use: those above it in the flow. A name that is missing here is a new module that has to be placed.
const LAYERS: [(&str, &[&str]); 18] = [
    ("types", &[]),
    ("field", &["types"]),
    ("capture", &["types"]),
    ("preprocess", &["types"]),
    ("model", &["types", "preprocess"]),
    ("cuda", &["types", "preprocess", "model"]),
    ("decide", &["types"]),
    ("act", &["types", "decide"]),
    ("publish", &["types"]),
    ("fit", &["types", "preprocess", "model"]),
    ("eval", &["types", "model", "decide", "fit"]),
    ("sim", &["types", "field", "capture", "decide", "act"]),
    ("config", &["types", "capture", "model", "decide", "act", "publish"]),
    ("telemetry", &["types"]),
    ("runtime", &["types", "field", "capture", "model", "decide", "act", "publish", "telemetry"]),
    ("assemble", &["types", "model", "cuda", "fit", "config", "runtime"]),
    ("web", &["types", "telemetry"]),
    (
        "cli",
        &[
            "types",
            "field",
            "capture",
            "preprocess",
            "model",
            "cuda",
            "decide",
            "act",
            "publish",
            "fit",
            "eval",
            "sim",
            "config",
            "telemetry",
            "runtime",
            "assemble",
            "web",
        ],
    ),
];

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn sources() -> BTreeMap<String, String> {
    let src = common::root().join("src");
    let mut found = Vec::new();
    files(&src, "rs", &mut found);
    let name = |p: &PathBuf| p.strip_prefix(&src).unwrap().display().to_string();
    found.iter().map(|p| (name(p), std::fs::read_to_string(p).unwrap())).collect()
}

/// Uses of `crate::X` in a file that its module may not have.
fn violations(file: &str, text: &str) -> Vec<String> {
    let module = file.split(['/', '.']).next().unwrap();
    if matches!(module, "lib" | "main") {
        return Vec::new();
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{file}: the module `{module}` has no place in the table of layers")];
    };
    let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
    let used = code.flat_map(|line| {
        line.split("crate::")
            .skip(1)
            .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
    });
    let mut found: Vec<String> = used
        .filter(|name| *name != module && LAYERS.iter().any(|(n, _)| n == name) && !allowed.contains(name))
        .map(|name| format!("{file}: `{module}` may not use `{name}`"))
        .collect();
    found.dedup();
    found
}

#[test]
fn modules_use_only_those_above_them() {
    let found: Vec<String> = sources().iter().flat_map(|(file, text)| violations(file, text)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // The check itself: it sees what it should.
    assert_eq!(violations("decide/x.rs", "use crate::runtime::Line;").len(), 1);
    assert_eq!(violations("types/x.rs", "fn f() { crate::decide::judge() }").len(), 1);
    assert_eq!(violations("newcomer/mod.rs", "").len(), 1);
    assert!(violations("cli/x.rs", "use crate::runtime::Line;").is_empty());
}

#[test]
fn lib_lists_the_modules_in_the_order_of_the_table() {
    let lib = std::fs::read_to_string(common::root().join("src/lib.rs")).unwrap();
    let listed: Vec<&str> = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, LAYERS.map(|(name, _)| name));
}

#[test]
fn only_decide_grants_a_pass() {
    for (file, text) in sources() {
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        let grants = code.filter(|l| l.contains("PassToken::grant")).count();
        let test = file.contains("tests") || file == "types/score.rs";
        assert!(grants == 0 || test || file == "decide/judge.rs", "{file} grants a PASS");
    }
}

#[test]
fn every_channel_is_made_in_the_wiring_or_belongs_to_one_owner() {
    // Channels between stages are made in wiring (through queue); these few others never leave their owner.
    const OWNERS: [&str; 11] = [
        "runtime/wiring.rs",
        "runtime/queue.rs",
        "runtime/threads.rs",
        "runtime/line.rs",
        "types/pool.rs",
        "model/head/nearest.rs",
        "capture/live.rs",
        "field/modbus.rs",
        "cli/sinks.rs",
        "publish/zenoh/session.rs",
        "publish/store.rs",
    ];
    for (file, text) in sources() {
        let makes = text.contains("bounded(") || text.contains("bounded::<");
        assert!(!makes || OWNERS.contains(&file.as_str()) || file == "cli/demo.rs", "{file} makes a channel");
    }
}

#[test]
fn files_are_short_and_finished() {
    for (file, text) in sources() {
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        let tests = file.ends_with("tests.rs");
        assert!(tests || body.lines().count() <= 400, "{file} has {} lines", body.lines().count());
        for word in ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX"] {
            assert!(!text.contains(word), "{file} holds {word}");
        }
    }
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    let output = std::process::Command::new("git").args(["ls-files"]).current_dir(common::root()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.lines().count() > 50 || !output.status.success(), "git lists the files");
    for name in listed.lines().filter(|n| !n.ends_with(".onnx") && !n.ends_with(".png") && *n != "Cargo.lock") {
        let Ok(text) = std::fs::read_to_string(common::root().join(name)) else { continue };
        for (n, line) in text.lines().enumerate() {
            for folder in ["home", "root", "Users"] {
                assert!(!line.contains(&format!("/{folder}/")), "{name}:{}: {line}", n + 1);
            }
        }
    }
}

#[test]
fn what_the_readme_tells_people_to_run_exists() {
    let readme = std::fs::read_to_string(common::root().join("README.md")).unwrap();
    let makefile = std::fs::read_to_string(common::root().join("Makefile")).unwrap();
    for target in readme.match_indices("make ").filter_map(|(i, _)| {
        let word = readme[i + 5..].split(|c: char| !c.is_ascii_lowercase()).next()?;
        (readme[..i].ends_with('`') || readme[..i].ends_with('\n')).then_some(word)
    }) {
        assert!(makefile.contains(&format!("\n{target}:")), "README names `make {target}`");
    }
    for link in readme.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
        let local = !link.is_empty() && !link.contains("://");
        assert!(!local || common::root().join(link).exists(), "README links to {link}");
    }
}

/// docs/field.md names tests as `file::test`, or a module of `src` whose own tests are meant.
#[test]
fn every_test_that_the_field_has_is_there() {
    let text = std::fs::read_to_string(common::root().join("docs/field.md")).unwrap();
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|word| word.contains("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap();
        let body = |path: String| std::fs::read_to_string(common::root().join(path)).unwrap_or_default();
        let in_tests = body(format!("tests/it/{module}.rs"));
        let of_module = common::root().join(format!("src/{}", name.trim_end_matches("::").replace("::", "/")));
        let is_there = match test {
            "" => !in_tests.is_empty(),
            test => in_tests.contains(&format!("fn {test}(")) || of_module.with_extension("rs").exists(),
        };
        assert!(is_there, "docs/field.md names `{name}`, which is not there");
    }
}

#[test]
fn documents_use_english_quotation_marks() {
    let mut found = vec![common::root().join("README.md"), common::root().join("CHANGELOG.md")];
    files(&common::root().join("docs"), "md", &mut found);
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().position(|l| l.contains(['\u{ab}', '\u{bb}', '\u{201e}']));
        assert_eq!(line, None, "{}: line from 0", file.display());
    }
}

#[test]
fn every_pipeline_file_is_built_in() {
    let mut found = Vec::new();
    files(&common::root().join("pipelines"), "gst", &mut found);
    let known: Vec<&str> = andon::capture::built_in_pipelines().iter().map(|(name, _)| *name).collect();
    for file in found {
        assert!(known.contains(&file.file_stem().unwrap().to_str().unwrap()), "{}", file.display());
    }
}

#[test]
fn the_embedded_backbone_is_the_one_that_is_documented() {
    let about = std::fs::read_to_string(common::root().join("models/README.md")).unwrap();
    let digest = blake3::hash(&andon::model::Backbone::embedded().onnx).to_hex();
    assert!(about.contains(digest.as_str()), "models/README.md does not name blake3 {digest}");
}
