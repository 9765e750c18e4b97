use super::*;
use crate::accounts::{Accounts, LoginLimit};
use andon_core::Role;

/// A box with a model, users and a history that is being written to; its plan.
fn box_in(folder: &Path) -> (BackupPlan, Connection) {
    std::fs::write(folder.join("part.andon"), vec![7; 100_000]).unwrap();
    let accounts = Accounts::open(&folder.join("page.db")).unwrap();
    accounts.add_user("ana", Role::Operator, "4711").unwrap();
    accounts.log_in(&LoginLimit::default(), "ana", "4711", "here").unwrap();
    let history = Connection::open(folder.join("h.db")).unwrap();
    history
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE record (n); INSERT INTO record VALUES (1), (2);")
        .unwrap();
    history.execute_batch("BEGIN; INSERT INTO record VALUES (3);").unwrap();
    let plan = BackupPlan {
        files: vec![("models/part.andon".into(), folder.join("part.andon"))],
        configuration: "site = \"plant\"\n".into(),
        history: Some(folder.join("h.db")),
        accounts: Some(folder.join("page.db")),
        masked: vec!["mqtt.password".into()],
        left_out: vec!["pictures".into()],
    };
    (plan, history)
}

#[test]
fn a_backup_of_a_box_that_writes_comes_back_whole_and_without_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, _writing) = box_in(dir.path());
    let archive = dir.path().join("box.tar");
    let made = plan.write(File::create(&archive).unwrap(), dir.path()).unwrap();
    let names: Vec<&str> = made.files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["andon.toml", "models/part.andon", "andon-page.db", "history.db"]);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".andon")), "{left:?}");

    let to = dir.path().join("back");
    assert_eq!(restore(&archive, &to).unwrap(), made);
    assert_eq!(std::fs::read(to.join("models/part.andon")).unwrap(), vec![7; 100_000]);
    let rows: i64 = Connection::open(to.join("history.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM record", [], |r| r.get(0))
        .unwrap();
    assert_eq!(rows, 2, "as it was at one moment: what was not committed is not there");
    let accounts = Accounts::open(&to.join("andon-page.db")).unwrap();
    assert!(accounts.log_in(&LoginLimit::default(), "ana", "4711", "here").is_ok());
    let sessions: i64 = Connection::open(to.join("andon-page.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM sessions", [], |r| r.get(0))
        .unwrap();
    assert_eq!(sessions, 1, "only that of now");
    assert!(matches!(restore(&archive, &to), Err(BackupError::Exists(_))));
}

#[test]
fn an_archive_that_was_damaged_or_made_up_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, _writing) = box_in(dir.path());
    let mut whole = Vec::new();
    plan.write(&mut whole, dir.path()).unwrap();
    let (archive, to) = (dir.path().join("box.tar"), dir.path().join("back"));
    let refused = |bytes: &[u8]| {
        std::fs::write(&archive, bytes).unwrap();
        let why = restore(&archive, &to).unwrap_err().to_string();
        assert!(!to.exists(), "{why}");
        why
    };
    let at = whole.windows(16).position(|w| w == [7; 16]).unwrap();
    let mut flipped = whole.clone();
    flipped[at] = 8;
    assert!(refused(&flipped).contains("models/part.andon in"), "a byte of the model");
    assert!(refused(&whole[..whole.len() / 2]).contains("box.tar"), "cut");
    assert!(refused(b"no tar at all").contains("no backup"), "something else");
    for name in ["../out.txt", "/out.txt"] {
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(1);
        header.set_cksum();
        let mut made_up = tar::Builder::new(Vec::new());
        made_up.append(&header, &b"x"[..]).unwrap();
        assert!(refused(&made_up.into_inner().unwrap()).contains("none of ours"), "{name}");
    }
    assert!(!dir.path().join("out.txt").exists());
}
