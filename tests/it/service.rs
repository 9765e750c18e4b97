//! The unit file for systemd says what the program does.

use std::process::Command;

use crate::common;

fn unit() -> String {
    std::fs::read_to_string(common::root().join("systemd/andon.service")).unwrap()
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        assert!(std::env::var_os("ANDON_REQUIRE_PEERS").is_none(), "no systemd-analyze: run `make peers`");
        eprintln!("skipped: no systemd-analyze");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let verify = |text: &str| {
        let path = folder.path().join("andon.service");
        std::fs::write(&path, text).unwrap();
        let said = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();
        let words = String::from_utf8_lossy(&said.stderr).into_owned();
        // Only what it says about this unit: those of the machine may have faults of their own.
        words.lines().filter(|l| l.contains("andon")).map(str::to_owned).collect::<Vec<_>>()
    };
    // The program is where the test has it; everything else is as people install it.
    let text = unit().replace("/usr/local/bin/andon", env!("CARGO_BIN_EXE_andon"));
    assert_eq!(verify(&text), [""; 0]);
    assert!(!verify(&text.replace("TimeoutStopSec=", "TimeoutStopSecs=")).is_empty(), "the check sees a wrong key");
}

#[test]
fn a_refused_configuration_is_not_started_again() {
    let unit = unit();
    let value = |key: &str| unit.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap();
    assert_eq!(value("Restart"), "on-failure");
    let never: Vec<i32> = value("RestartPreventExitStatus").split(' ').map(|code| code.parse().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("andon.toml");
    std::fs::write(&config, "site = \"a name with spaces\"\n").unwrap();
    let refused = common::andon(&["run", "-c", config.to_str().unwrap()]).output().unwrap();
    assert!(never.contains(&refused.status.code().unwrap()), "{refused:?}");
    let usage = common::andon(&["run", "--no-such-flag"]).output().unwrap();
    assert!(never.contains(&usage.status.code().unwrap()), "{usage:?}");
}
