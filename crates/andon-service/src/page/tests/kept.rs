//! The pages of the history over real sockets, on a history that the store itself wrote.

use super::*;
use crate::live::tests::verdict;
use andon_core::{Accepted, CameraVerdict, ModelTag};
use andon_io::history::{Filter, History, PartRow, ReviewState, Reviews, ShiftCalendar};
use andon_io::sinks::store::{StoreOptions, StoreSink};

/// A page with a history; its file goes with it.
pub(in crate::page) struct Kept {
    pub on: Bench,
    pub(super) history: History,
    pub(super) store: Option<StoreSink>,
    _folder: tempfile::TempDir,
}

/// The score of the part number `n`: most are good, some near the threshold 10, some over it.
fn score(n: u64) -> f32 {
    match n % 20 {
        3 => 10.0 + (n % 7) as f32 / 3.0,
        8 => 8.6 + (n % 11) as f32 / 10.0,
        _ => 2.0 + (n * 7919 % 600) as f32 / 100.0,
    }
}

impl Kept {
    pub fn with(parts: u64) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let calendar = ShiftCalendar::default();
        let mut kept = Kept {
            history: History::new(&path, calendar.clone()),
            on: start_with(
                station(),
                Some(HistoryAccess {
                    history: History::new(&path, calendar.clone()),
                    patient: History::new(&path, calendar),
                    reviews: Reviews::new(&path),
                    every: 10,
                }),
            ),
            store: Some(
                StoreSink::start(StoreOptions { path, max_rows: 1_000_000, max_bytes: 1 << 30 }, station()).unwrap(),
            ),
            _folder: folder,
        };
        kept.add(0..parts);
        kept
    }

    /// Parts, a millisecond apart, that the store has written when this returns.
    fn add(&mut self, numbers: std::ops::Range<u64>) {
        let begun = Mono::now();
        let model = Arc::new(ModelTag {
            name: "flange".into(),
            blake3: "0123456789abcdef0123456789abcdef".into(),
            engine: "rten".into(),
            threshold: 10.0,
            baseline: 0.0,
            picture_size: [0; 2],
            sources: Vec::new(),
            recipe: None,
        });
        let store = self.store.as_mut().unwrap();
        let wanted = self.history.query(&all()).map_or(0, |page| page.rows.len()) + numbers.clone().count();
        for n in numbers {
            let at = Mono(begun.0 - (1000 - n) * 1_000_000);
            let record = Record::Verdict(CameraVerdict {
                t_trigger: at,
                t_capture: at,
                model: model.clone(),
                ..verdict(n, score(n), 0)
            });
            let end = Instant::now() + Duration::from_secs(5);
            while store.offer(&record) != Accepted::Taken && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let end = Instant::now() + Duration::from_secs(10);
        while self.history.query(&all()).map_or(0, |page| page.rows.len()) < wanted && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.rows().len(), wanted);
    }

    pub fn rows(&self) -> Vec<PartRow> {
        self.history.query(&all()).unwrap().rows
    }

    pub fn client(&self, name: &str, role: Role) -> Client {
        self.on.accounts.add_user(name, role, "long enough").unwrap();
        let mut client = Client::of(&self.on);
        assert_eq!(client.post("/login", &format!("name={name}&password=long+enough")).status, 303);
        client
    }

    fn row(&self, id: &str) -> PartRow {
        self.history.part(id).unwrap().unwrap().row
    }
}

fn all() -> Filter {
    Filter { limit: Some(1000), ..Filter::default() }
}

/// Ids of the parts that a page links to, in its order.
pub(super) fn parts_of(page: &str) -> Vec<String> {
    page.split("href=\"/part/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// The body of an answer that came in chunks.
fn whole_body(answer: &Answer) -> String {
    if !answer.head.contains("transfer-encoding: chunked") {
        return answer.body.clone();
    }
    let (mut rest, mut body) = (answer.body.as_str(), String::new());
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[test]
fn a_review_needs_an_operator_and_a_form_of_this_page_and_goes_on_to_the_next_part() {
    let kept = Kept::with(100);
    let first = kept.rows().into_iter().find(|r| r.seq == 83).unwrap();
    let say = format!("/review/{}", first.id);
    let mut nobody = Client::of(&kept.on);
    let refused = nobody.post(&say, "verdict=bad&expected=");
    assert!(refused.status == 403 && refused.body.contains("this needs the role operator"), "{}", refused.body);
    let mut ana = kept.client("ana", Role::Operator);
    assert_eq!(ana.send("POST", &say, "", "verdict=bad&expected=").status, 403, "without a token");
    assert_eq!(kept.row(&first.id).review, ReviewState::None);
    let queue = ana.get("/review?kind=not_passed").body;
    assert!(queue.contains(&format!("/review/{}", first.id)) && queue.contains("data-key=\"1\""), "{queue}");
    let done = ana.post(&say, "verdict=bad&expected=&kind=not_passed&defect=&new_defect=scratch&comment=left+edge");
    assert_eq!(done.status, 303, "{}", done.body);
    let next = kept.rows().into_iter().find(|r| r.seq == 63).unwrap();
    let to = format!("location: /review?kind=not_passed&part={}&done={}", next.id, first.id).to_lowercase();
    assert!(done.head.contains(&to), "{} has no {to}", done.head);
    assert_eq!(kept.row(&first.id).review, ReviewState::Bad);
    let audit = kept.on.accounts.audit(None, 10).unwrap();
    let entry = audit.iter().find(|e| e.act == "review" && e.done).unwrap();
    assert_eq!(
        (entry.user.as_str(), entry.subject.as_str(), entry.before.as_str(), entry.after.as_str()),
        ("ana", first.id.as_str(), "none", "bad scratch")
    );
    assert!(audit.iter().any(|e| e.act == "review" && !e.done), "what was refused stands there too");
    // The kind of defect is offered from now on, and can be asked for.
    assert!(ana.get("/review").body.contains("value=\"scratch\""));
    assert_eq!(parts_of(&ana.get("/history?defect=scratch").body), std::slice::from_ref(&first.id));
    assert!(ana.get("/history?defect=dent").body.contains("not in the history, which has scratch"));
    for (body, status) in [("verdict=fine&expected=", 422), ("verdict=good&expected=seven", 422)] {
        assert_eq!(ana.post(&say, body).status, status, "{body}");
    }
    assert_eq!(ana.post("/review/none", "verdict=good&expected=").status, 404);
    let long = format!("verdict=good&expected={}&comment={}", kept.row(&first.id).review_id.unwrap(), "x".repeat(2001));
    assert_eq!(ana.post(&say, &long).status, 422);
}

#[test]
fn of_two_reviewers_the_second_is_told_who_was_first_and_what_was_said() {
    let kept = Kept::with(40);
    let part = kept.rows().into_iter().find(|r| r.seq == 23).unwrap().id;
    let say = format!("/review/{part}");
    let (mut ana, mut ben) = (kept.client("ana", Role::Operator), kept.client("ben", Role::Leader));
    assert_eq!(ana.post(&say, "verdict=bad&expected=").status, 303);
    let refused = ben.post(&say, "verdict=good&expected=");
    assert_eq!(refused.status, 409);
    for said in ["Somebody reviewed this part meanwhile", "Really bad", "ana", "Say it again"] {
        assert!(refused.body.contains(said), "{said} in {}", refused.body);
    }
    assert_eq!(kept.row(&part).review, ReviewState::Bad);
    // The page that he got has the new review before his eyes.
    let expected = refused.body.split("name=\"expected\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(ben.post(&say, &format!("verdict=good&expected={expected}")).status, 303);
    assert_eq!(kept.row(&part).review, ReviewState::Good);
    assert_eq!(ana.post(&say, &format!("verdict=withdrawn&expected={expected}")).status, 409, "hers is not the last");
}

#[test]
fn a_review_can_be_taken_back_for_ever_and_the_part_waits_again() {
    let kept = Kept::with(40);
    let part = kept.rows().into_iter().find(|r| r.seq == 23).unwrap().id;
    let say = format!("/review/{part}");
    let mut ana = kept.client("ana", Role::Operator);
    assert_eq!(ana.post(&say, "verdict=withdrawn&expected=").status, 409, "there is nothing to take back");
    for verdict in ["bad", "good", "unsure"] {
        let expected = kept.row(&part).review_id.map(|id| id.to_string()).unwrap_or_default();
        assert_eq!(ana.post(&say, &format!("verdict={verdict}&expected={expected}")).status, 303);
        let id = kept.row(&part).review_id.unwrap();
        let page = ana.get(&format!("/review?part={part}")).body;
        assert!(page.contains("data-key=\"u\""), "{page}");
        assert_eq!(ana.post(&say, &format!("verdict=withdrawn&expected={id}")).status, 303);
        assert_eq!(kept.row(&part).review, ReviewState::None);
        assert!(ana.get("/review?kind=not_passed").body.contains(&format!("/review/{part}")), "it waits again");
    }
    assert_eq!(kept.history.part(&part).unwrap().unwrap().reviews.len(), 6, "nothing is removed");
    assert!(ana.get("/review/results").body.contains("Take back"));
}

#[test]
fn every_part_of_a_filter_is_on_one_page_of_its_list_also_while_others_come() {
    let mut kept = Kept::with(450);
    let mut client = Client::of(&kept.on);
    let (mut seen, mut path, mut pages) = (Vec::new(), "/history".to_owned(), 0);
    loop {
        let page = client.get(&path);
        assert_eq!(page.status, 200);
        seen.extend(parts_of(&page.body));
        pages += 1;
        if pages == 1 {
            kept.add(450..460);
        }
        let Some((_, rest)) = page.body.split_once("rel=\"next\" href=\"") else { break };
        let after = rest.split('"').next().unwrap();
        path = after.replace("&amp;", "&");
    }
    assert_eq!((pages, seen.len()), (3, 450));
    let newest_first: Vec<String> = kept.rows().into_iter().filter(|r| r.seq < 450).map(|r| r.id).collect();
    assert_eq!(seen, newest_first);
}

#[test]
fn filters_and_exports_give_the_same_parts() {
    let kept = Kept::with(450);
    let mut client = Client::of(&kept.on);
    let rejects: Vec<PartRow> = kept.rows().into_iter().filter(|r| r.score.unwrap() >= 10.0).collect();
    assert_eq!(parts_of(&client.get("/history?outcome=REJECT&from=&camera=").body).len(), rejects.len());
    let near = client.get("/history?ratio_from=85&ratio_to=99%2C9").body;
    let expected = kept.rows().iter().filter(|r| (0.85..=0.999).contains(&f64::from(r.ratio.unwrap()))).count();
    assert!(expected > 10);
    assert_eq!(parts_of(&near).len(), expected);
    for (query, status, says) in [
        ("from=yesterday", 422, "from=yesterday"),
        ("outcome=MAYBE", 422, "PASS, REJECT"),
        ("ratio_from=x", 422, "ratio="),
        ("after=x", 422, "the `next` of an earlier page"),
    ] {
        let page = client.get(&format!("/history?{query}"));
        assert!(page.status == status && page.body.contains(says), "{query}: {} {}", page.status, page.body);
    }
    let csv = client.get("/history.csv?outcome=REJECT");
    assert!(csv.head.contains("text/csv") && csv.head.contains("andon-history.csv"), "{}", csv.head);
    let lines: Vec<String> = whole_body(&csv).split("\r\n").map(str::to_owned).collect();
    assert_eq!(lines.len(), rejects.len() + 2, "a head and an end");
    for (line, row) in lines[1..].iter().zip(&rejects) {
        assert!(
            line.starts_with(&format!("\"{}\",", row.id)) && line.contains(&row.score.unwrap().to_string()),
            "{line}"
        );
    }
    let json: serde_json::Value = serde_json::from_str(&whole_body(&client.get("/history.json"))).unwrap();
    let ids: Vec<&str> = json.as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(ids, kept.rows().iter().map(|r| r.id.as_str()).collect::<Vec<_>>());
    let none = client.get("/history.json?review=bad");
    assert_eq!(whole_body(&none), "[]\n");
    assert_eq!(client.get("/history.csv?from=yesterday").status, 422);
}

#[test]
fn hostile_words_in_reviews_and_batches_are_text_everywhere() {
    let kept = Kept::with(40);
    let part = kept.rows().into_iter().find(|r| r.seq == 23).unwrap().id;
    let mut ana = kept.client("ana", Role::Leader);
    let hostile = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22%27%26";
    let said = format!("verdict=bad&expected=&new_defect={hostile}&comment={hostile}");
    assert_eq!(ana.post(&format!("/review/{part}"), &said).status, 303);
    assert_eq!(ana.post("/batch", &format!("name={hostile}")).status, 303);
    let paths = [
        "/".to_owned(),
        format!("/part/{part}"),
        format!("/review?part={part}"),
        format!("/review?done={part}"),
        "/review/results?span=all".to_owned(),
        "/history".to_owned(),
        format!("/history?defect={hostile}"),
        format!("/history?camera={hostile}&from={hostile}"),
        "/counters?by=batch".to_owned(),
        "/whatif?span=week".to_owned(),
    ];
    for path in &paths {
        let page = ana.get(path);
        assert!(page.status == 200 || path.contains("from="), "{path}");
        assert!(!page.body.contains("<img src=x"), "{path}");
        for inline in ["style=", "onclick=", "<script>", "<style>"] {
            assert!(!page.body.contains(inline), "{path} holds {inline}");
        }
    }
    for path in [format!("/part/{part}"), "/review/results?span=all".to_owned(), "/counters?by=batch".to_owned()] {
        assert!(ana.get(&path).body.contains("&lt;img src=x onerror=alert(1)&gt;"), "{path}");
    }
}

#[test]
fn counters_come_from_the_history_by_what_was_chosen_and_add_up() {
    let kept = Kept::with(100);
    let mut ana = kept.client("ana", Role::Operator);
    assert_eq!(ana.post("/batch", "name=order+7").status, 403);
    let mut lea = kept.client("lea", Role::Leader);
    assert_eq!(lea.post("/batch", "name=").status, 422);
    assert_eq!(lea.post("/batch", "name=order+7").status, 303);
    let rejects = kept.rows().iter().filter(|r| r.score.unwrap() >= 10.0).count();
    let live = lea.get("/").body;
    assert!(live.contains("Unreviewed") && live.contains("= offered"), "{live}");
    for by in ["hour", "shift"] {
        let chosen = lea.get(&format!("/counted/{by}?camera=0"));
        assert!(chosen.status == 303 && chosen.head.contains(&format!("andon_counted={by}")), "{}", chosen.head);
        let csv = lea.get(&format!("/counters.csv?by={by}")).body;
        let mut sums = [0u64; 5];
        for line in csv.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
            let cells: Vec<&str> = line.rsplit(',').collect();
            for (sum, cell) in sums.iter_mut().zip(cells[2..7].iter().rev()) {
                *sum += cell.trim_matches('"').parse::<u64>().unwrap();
            }
        }
        assert_eq!(sums, [100, 100 - rejects as u64, rejects as u64, 0, 0], "{csv}");
        assert_eq!(lea.get(&format!("/counters?by={by}")).status, 200);
    }
    assert!(lea.get("/counters?by=batch").body.contains("order 7"));
    assert!(lea.get("/").body.contains("aria-current=\"true\">Shift"));
}

#[test]
fn without_a_history_its_pages_say_how_one_is_kept() {
    let on = start();
    let mut client = Client::of(&on);
    let paths = [
        "/review",
        "/review/results",
        "/history",
        "/history.csv",
        "/counters",
        "/counters.csv",
        "/whatif",
        "/whatif/parts",
    ];
    for (language, words) in [("en", "No history is kept"), ("de", "Es wird kein Verlauf aufgehoben")] {
        assert_eq!(client.post("/look", &format!("theme=dark&language={language}")).status, 303);
        for path in paths {
            let page = client.get(path);
            assert!(
                page.status == 404 && page.body.contains(words) && page.body.contains("[store]"),
                "{path}: {}",
                page.body
            );
        }
    }
    on.accounts.add_user("ana", Role::Leader, "long enough").unwrap();
    assert_eq!(client.post("/login", "name=ana&password=long+enough").status, 303);
    assert_eq!(client.post("/review/x", "verdict=bad&expected=").status, 404);
    assert_eq!(client.post("/batch", "name=b").status, 404);
    assert!(!client.get("/").body.contains("/counters"), "the live page counts since the start");
}
