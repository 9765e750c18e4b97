//! What people read in German.

use super::*;

#[test]
fn a_refusal_is_in_the_language_of_who_reads_it_and_the_audit_in_english() {
    let on = start();
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    on.accounts.add_user("ada", Role::Admin, "long enough").unwrap();
    let mut client = Client::of(&on);
    client.post("/look", "language=de");
    let wrong = client.post("/login", "name=ana&password=0000");
    assert!(wrong.body.contains("Name oder Passwort ist falsch"), "{}", wrong.body);
    client.post("/login", "name=ana&password=4711");
    let refused = client.post("/threshold/0", "value=11&reason=x");
    assert!(
        refused.body.contains("ana hat die Rolle Bediener; dafür braucht es die Rolle Qualität"),
        "{}",
        refused.body
    );
    assert!(client.post("/alarms/99/acknowledge", "").body.contains("Diesen Alarm gibt es nicht mehr"));
    assert!(client.post("/release", "").body.contains("dafür braucht es die Rolle Schichtleitung"));
    client.post("/logout", "");
    client.post("/login", "name=ada&password=long+enough");
    assert!(client.post("/threshold/0", "value=11&reason=").body.contains("Sagen Sie, warum"));
    let last = client.post("/users/remove", "name=ada");
    assert!(last.body.contains("hat als letzter Benutzer die Rolle Verwaltung"), "{}", last.body);
    let audit = client.get("/audit.csv").body;
    assert!(audit.contains("ana is operator; this needs the role quality"), "{audit}");
    assert!(!audit.contains("dafür"), "{audit}");
}
