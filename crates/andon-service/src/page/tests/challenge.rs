//! Challenges over real sockets, on a history that the store itself wrote.

use super::kept::Kept;
use super::*;
use andon_io::history::{Challenge, ChallengeResult};

/// Parts that the line judges: the store and the page hear of the same verdicts.
fn judged(kept: &mut Kept, parts: impl IntoIterator<Item = (u64, f32)>) {
    for (seq, score) in parts {
        let record = Record::Verdict(verdict(seq, score, 0));
        kept.store.as_mut().unwrap().offer(&record);
        kept.on.sink.offer(&record);
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn last(kept: &Kept, count: usize) -> Challenge {
    until("a challenge in the history", || {
        let known = kept.history.challenges(10).unwrap_or_default();
        (known.len() == count).then(|| known[0].clone())
    })
}

#[test]
fn known_bad_parts_that_are_rejected_pass_and_one_that_is_not_fails_and_all_of_it_is_kept() {
    let mut kept = Kept::with(0);
    kept.on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    kept.on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    let mut client = Client::of(&kept.on);
    assert_eq!(client.post("/challenge/0", "parts=3").status, 403, "nobody is logged in");
    client.post("/login", "name=ana&password=4711");
    for (parts, status) in [("0", 422), ("51", 422), ("many", 422)] {
        assert_eq!(client.post("/challenge/0", &format!("parts={parts}")).status, status, "{parts}");
    }
    assert_eq!(client.post("/challenge/7", "parts=3").status, 404, "no such camera");
    assert_eq!(client.post("/challenge/0", "parts=3").status, 303);
    assert_eq!(client.post("/challenge/0", "parts=3").status, 409, "one at a time");
    judged(&mut kept, [(1, 12.0), (2, 13.0)]);
    until("two of three on the page", || client.get("/challenge").body.contains("2 / 3").then_some(()));
    judged(&mut kept, [(3, 12.0)]);
    let passed = last(&kept, 1);
    assert_eq!((passed.result, passed.user.as_str(), passed.parts), (ChallengeResult::Passed, "ana", 3));
    assert_eq!(*kept.on.line.1.lock().unwrap(), [ChallengeSign::Passed]);
    // Its parts are reviewed as what they are, and wait for nobody.
    let part = passed.seen[2].id.clone().unwrap();
    let review = until("a review of a part", || kept.history.part(&part).ok()??.reviews.pop());
    assert_eq!((review.defect.as_deref(), review.user.as_str()), (Some("challenge"), "ana"));

    client.post("/challenge/0", "parts=2");
    judged(&mut kept, [(4, 12.0), (5, 5.0)]);
    let failed = last(&kept, 2);
    assert_eq!(failed.result, ChallengeResult::Failed);
    assert_eq!(kept.on.line.1.lock().unwrap().last(), Some(&ChallengeSign::Failed));

    client.post("/challenge/0", "parts=2");
    judged(&mut kept, [(6, 5.0)]);
    until("one of two on the page", || client.get("/challenge").body.contains("1 / 2").then_some(()));
    assert_eq!(client.post("/challenge/0/abort", "").status, 303);
    let given_up = last(&kept, 3);
    assert_eq!(given_up.result, ChallengeResult::Aborted);
    let part = given_up.seen[0].id.clone().unwrap();
    let about = until("the part in the history", || kept.history.part(&part).ok()?);
    assert!(about.reviews.is_empty(), "nobody knows that it was bad");
    assert_eq!(client.post("/challenge/0/abort", "").status, 409);
    assert_eq!(kept.on.line.1.lock().unwrap().len(), 2, "what is given up is told to nobody");
    let page = client.get("/challenge").body;
    for words in ["passed", "failed", "given up"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    client.post("/logout", "");
    client.post("/login", "name=quinn&password=long+enough");
    let audit = until("all in the audit", || {
        let audit = client.get("/audit.csv").body;
        (audit.contains("passed: 3 rejected") && audit.contains("failed: 1 rejected")).then_some(audit)
    });
    assert!(audit.contains("start_challenge") && audit.contains("abort_challenge"), "{audit}");
}

#[test]
fn a_shift_without_a_passed_challenge_is_told_once() {
    let mut on = start_full(station(), None, None, None, Some(Duration::ZERO));
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    until("overdue", || (!on.line.1.lock().unwrap().is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(*on.line.1.lock().unwrap(), [ChallengeSign::Overdue]);
    let mut client = Client::of(&on);
    assert!(client.get("/challenge").body.contains("This shift needs a passed one by"));
    client.post("/login", "name=ana&password=4711");
    client.post("/challenge/0", "parts=1");
    on.sink.offer(&Record::Verdict(verdict(1, 12.0, 0)));
    until("passed", || (on.line.1.lock().unwrap().len() == 2).then_some(()));
    assert!(!client.get("/challenge").body.contains("This shift needs a passed one by"));
}
