use std::time::Duration;

use super::*;
use andon_core::{Actor, Mono, Role, Via};

fn accounts() -> Accounts {
    Accounts::in_memory().unwrap()
}

#[test]
fn passwords_follow_the_rules_of_their_roles_and_are_kept_as_argon2id_hashes() {
    let accounts = accounts();
    assert!(accounts.add_user("ana", Role::Operator, "123").unwrap_err().to_string().contains("4 digits"));
    assert!(accounts.add_user("ana", Role::Operator, "abcd").is_err(), "letters need eight characters");
    assert!(accounts.add_user("quinn", Role::Quality, "1234567").unwrap_err().to_string().contains("8 characters"));
    accounts.add_user("ana", Role::Operator, "4711").unwrap();
    assert!(matches!(accounts.add_user("ana", Role::Admin, "long enough"), Err(AccountError::Exists(_))));
    assert!(matches!(accounts.add_user(" x", Role::Operator, "4711"), Err(AccountError::Name(_))));
    let hash: String = accounts.lock().query_row("SELECT hash FROM users", [], |row| row.get(0)).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains("4711"), "{hash}");
}

#[test]
fn a_session_ends_fifteen_minutes_after_its_last_use() {
    let (accounts, limit) = (accounts(), LoginLimit::default());
    accounts.add_user("ana", Role::Leader, "open sesame").unwrap();
    let token = accounts.log_in(&limit, "ana", "open sesame", "here").unwrap();
    let now = session::now_ms();
    let minutes = |n: i64| now + n * 60_000;
    let ana = Session { user: "ana".into(), role: Role::Leader };
    assert_eq!(accounts.session_at(&token, true, minutes(14)).unwrap(), Some(ana.clone()));
    assert_eq!(accounts.session_at(&token, false, minutes(28)).unwrap(), Some(ana.clone()), "14 minutes after its use");
    assert_eq!(
        accounts.session_at(&token, true, minutes(30)).unwrap(),
        None,
        "a look that is no use kept nothing alive"
    );
    assert_eq!(accounts.session_at(&token, true, minutes(15)).unwrap(), None, "and it does not come back");
    let kept: Vec<u8> = {
        let token = accounts.log_in(&limit, "ana", "open sesame", "here").unwrap();
        assert_eq!(token.len(), 64);
        accounts.lock().query_row("SELECT token FROM sessions", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(kept.len(), 32, "a hash");
}

#[test]
fn a_wrong_login_does_not_say_whether_the_name_is_there_and_waits_grow() {
    let (accounts, limit) = (accounts(), LoginLimit::default());
    accounts.add_user("ana", Role::Operator, "4711").unwrap();
    let said =
        |name: &str, password: &str, from: &str| accounts.log_in(&limit, name, password, from).unwrap_err().to_string();
    assert_eq!(said("ana", "0000", "a"), said("nobody", "0000", "b"));
    said("ana", "0001", "a");
    said("ana", "0002", "a");
    assert!(said("ana", "4711", "c").contains("try again in"), "the user waits, from wherever");
    assert!(said("bob", "4711", "a").contains("try again in"), "and the address, as whoever");
    let (limit, start) = (LoginLimit::default(), Mono(1_000_000_000));
    let mut waits = Vec::new();
    for _ in 0..14 {
        limit.attempt("ana", "a", start);
        waits.push(limit.wait("ana", "a", start).map_or(0, |w| w.as_secs()));
    }
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(limit.wait("ana", "a", start + Duration::from_secs(301)), None);
    limit.succeeded("ana", "a");
    assert_eq!(limit.wait("ana", "a", start), None);
}

#[test]
fn the_limit_forgets_the_oldest_before_it_grows_without_end() {
    let limit = LoginLimit::default();
    for n in 0..10_000u64 {
        limit.attempt(&format!("user {n}"), "a", Mono(n));
    }
    for n in 9_990..10_000 {
        limit.attempt(&format!("user {n}"), "a", Mono(n));
        limit.attempt(&format!("user {n}"), "a", Mono(n));
        assert!(limit.wait(&format!("user {n}"), "z", Mono(n)).is_some());
    }
}

#[test]
fn removing_or_a_new_password_ends_the_sessions_and_the_last_admin_stays() {
    let (accounts, limit) = (accounts(), LoginLimit::default());
    accounts.add_user("root", Role::Admin, "first password").unwrap();
    let token = accounts.log_in(&limit, "root", "first password", "a").unwrap();
    accounts.change_password("root", "second password").unwrap();
    assert_eq!(accounts.session(&token, true).unwrap(), None);
    assert!(matches!(accounts.log_in(&limit, "root", "first password", "a"), Err(AccountError::Wrong)));
    let token = accounts.log_in(&limit, "root", "second password", "a").unwrap();
    assert!(matches!(accounts.remove_user("root"), Err(AccountError::LastAdmin(_))));
    accounts.add_user("other", Role::Admin, "third password").unwrap();
    accounts.remove_user("root").unwrap();
    assert_eq!(accounts.session(&token, true).unwrap(), None);
    assert!(matches!(accounts.remove_user("root"), Err(AccountError::NoUser(_))));
}

#[test]
fn the_audit_can_be_added_to_and_not_changed() {
    let accounts = accounts();
    let by = Actor { user: "=cmd|' /C calc'!A0".into(), role: Role::Quality, via: Via::Page };
    let entry = AuditEntry { reason: "said \"so\", twice".into(), done: true, ..AuditEntry::of(&by, "act", "top") };
    accounts.note(&entry).unwrap();
    accounts.note(&AuditEntry { done: false, ..entry }).unwrap();
    let entries = accounts.audit(None, 10).unwrap();
    assert_eq!(entries.iter().map(|e| (e.id, e.done)).collect::<Vec<_>>(), [(2, false), (1, true)]);
    assert_eq!(accounts.audit(Some(2), 10).unwrap().len(), 1);
    for change in ["DELETE FROM audit", "UPDATE audit SET name = 'nobody'"] {
        let why = accounts.lock().execute(change, []).unwrap_err().to_string();
        assert!(why.contains("append-only"), "{why}");
    }
    let csv = entries[1].csv();
    assert!(csv.contains("\"'=cmd") && csv.contains("\"said \"\"so\"\", twice\"") && csv.ends_with("\"yes\""), "{csv}");
}

#[test]
fn the_file_is_its_owners_and_one_of_a_later_version_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.db");
    Accounts::open(&path).unwrap().add_user("ana", Role::Operator, "4711").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Accounts::open(&path).unwrap().users().unwrap().len(), 1);
    Accounts::open(&path).unwrap().lock().pragma_update(None, "user_version", 99).unwrap();
    let why = Accounts::open(&path).err().unwrap().to_string();
    assert!(why.contains("later version") && why.contains("page.db"), "{why}");
    assert_eq!(not_writable(&path), None);
    assert!(not_writable(folder.path()).unwrap().contains("is a folder"));
    assert!(not_writable(&folder.path().join("none/x.db")).unwrap().contains("there is no folder"));
}
