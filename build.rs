//! Lists the modules of all crates, so that a log filter that names none of them can be refused.

use std::path::Path;

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    let mut modules = Vec::new();
    list_modules(Path::new("src"), "andon", &mut modules)?;
    for member in std::fs::read_dir("crates")? {
        let member = member?;
        let name = member.file_name().to_string_lossy().replace('-', "_");
        let src = member.path().join("src");
        println!("cargo:rerun-if-changed={}", src.display());
        list_modules(&src, &name, &mut modules)?;
        modules.push(name);
    }
    modules.sort();
    // The crates' borders are nobody's business who reads a log: `andon::capture` is `andon_io::capture`.
    let short = |module: &String| format!("andon{}", module.find("::").map_or("", |at| &module[at..]));
    let pairs: Vec<(String, String)> = modules.into_iter().map(|module| (short(&module), module)).collect();
    let list = format!(
        "/// Every module of this program: as a filter names it, and as the log knows it.\nconst MODULES: &[(&str, &str)] = &{pairs:?};\n"
    );
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    std::fs::write(Path::new(&out).join("modules.rs"), list)
}

/// The paths of all modules below a folder, as Rust names them.
fn list_modules(folder: &Path, path: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.is_dir() {
            list_modules(&file, &format!("{path}::{name}"), found)?;
        } else if name == "mod" {
            found.push(path.to_owned());
        } else if !["lib", "main", "tests"].contains(&name.as_str())
            // Stands in for a module that was not compiled in, under that module's name.
            && !name.ends_with("_absent")
            && file.extension().is_some_and(|e| e == "rs")
        {
            found.push(format!("{path}::{name}"));
        }
    }
    Ok(())
}
