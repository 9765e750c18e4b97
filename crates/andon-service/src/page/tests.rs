use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::*;
use crate::accounts::Accounts;
use crate::act::{HistoryAccess, LineAccess, Service};
use crate::backup::{BackupPlan, restore};
use crate::live::tests::verdict;
use crate::live::{Board, PageRecord, PageSink, page_sink};
use andon_core::{
    Actor, CameraId, ChallengeSign, Control, ControlError, EventKind, LineEvent, Mono, Record, Role, Sink,
};
use andon_io::history::ShiftCalendar;
use andon_io::sinks::wire::StationInfo;
use andon_line::telemetry::JudgeState;

mod challenge;
mod german;
pub(super) mod kept;
mod tls;
mod trial;

/// A line that remembers its threshold, and what it was told of challenges.
struct Line(Mutex<f32>, Mutex<Vec<ChallengeSign>>);

impl Control for Line {
    fn threshold(&self, _: CameraId) -> f32 {
        *self.0.lock().unwrap()
    }

    fn set_threshold(&self, _: CameraId, value: f32, _: &Actor, _: &str) -> Result<(), ControlError> {
        *self.0.lock().unwrap() = value;
        Ok(())
    }

    fn trigger(&self, _: Option<u64>) -> Result<(), ControlError> {
        Ok(())
    }

    fn release(&self, _: &Actor) -> Result<(), ControlError> {
        Ok(())
    }

    fn challenge(&self, _: CameraId, sign: ChallengeSign) -> Result<(), ControlError> {
        self.1.lock().unwrap().push(sign);
        Ok(())
    }

    fn config_json(&self) -> String {
        String::new()
    }
}

pub(in crate::page) struct Bench {
    server: PageServer,
    board: Arc<Board>,
    accounts: Arc<Accounts>,
    line: Arc<Line>,
    sink: PageSink,
}

/// Names that would be scripts where somebody forgets to escape them.
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

fn start() -> Bench {
    start_with(station(), None)
}

fn station() -> StationInfo {
    StationInfo {
        site: HOSTILE.into(),
        line: "press".into(),
        station: "outfeed".into(),
        cameras: vec![HOSTILE.into()],
        lanes: vec![HOSTILE.into()],
        ..StationInfo::default()
    }
}

fn start_with(station: StationInfo, history: Option<HistoryAccess>) -> Bench {
    start_as(station, history, None)
}

fn start_as(station: StationInfo, history: Option<HistoryAccess>, tls: Option<TlsFiles>) -> Bench {
    start_full(station, history, tls, None, None)
}

fn start_full(
    station: StationInfo,
    history: Option<HistoryAccess>,
    tls: Option<TlsFiles>,
    backup: Option<(BackupPlan, std::path::PathBuf)>,
    challenge_within: Option<Duration>,
) -> Bench {
    let board = Arc::new(Board::new(station, &[None]));
    let accounts = Arc::new(Accounts::in_memory().unwrap());
    let line = Arc::new(Line(Mutex::new(10.0), Mutex::default()));
    let access = LineAccess { control: line.clone(), board: board.clone() };
    let (sink, records) = page_sink();
    let of = line.clone();
    let judges = move || {
        vec![JudgeState {
            camera: HOSTILE.into(),
            model: HOSTILE.into(),
            blake3: "0123456789abcdef0123".into(),
            engine: "rten".into(),
            threshold: *of.0.lock().unwrap(),
            own_threshold: 10.0,
            degraded: false,
        }]
    };
    let service = Service::of_line(accounts.clone(), access).with_history(history);
    let server = PageServer::start(PageSpec {
        options: PageOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            language: Language::En,
            tls,
            names: vec!["press-7".into()],
            key_px: 98,
            bands: Vec::new(),
            challenge: ChallengeRules { parts: 3, within: challenge_within, shifts: ShiftCalendar::default() },
        },
        board: board.clone(),
        records,
        service: Arc::new(match backup {
            Some((plan, scratch)) => service.with_backup(plan, scratch),
            None => service,
        }),
        judges: Arc::new(judges),
        pictures: None,
    })
    .unwrap();
    Bench { server, board, accounts, line, sink }
}

/// A browser, as far as cookies go.
pub(in crate::page) struct Client {
    to: SocketAddr,
    cookies: Vec<(String, String)>,
    host: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn of(server: &Bench) -> Client {
        let to = server.server.address();
        Client { to, cookies: Vec::new(), host: to.to_string() }
    }

    fn send(&mut self, method: &str, path: &str, further: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let cookies: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let (host, length) = (&self.host, body.len());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {length}\r\n{further}Connection: close\r\n\r\n{body}",
            cookies.join("; ")
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in head.lines().filter_map(|l| l.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{line}");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "", "")
    }

    /// The token of the forms of this browser.
    fn token(&mut self) -> String {
        let page = self.get("/login").body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn post(&mut self, path: &str, body: &str) -> Answer {
        let token = self.token();
        self.send("POST", path, "", &format!("csrf={token}&{body}"))
    }
}

#[test]
fn every_page_is_there_and_hostile_names_are_text() {
    let mut on = start();
    on.sink.offer(&Record::Verdict(verdict(7, 12.0, 0)));
    on.board.take(PageRecord::Event(0, LineEvent::new(EventKind::MissedEjection, Mono::now())));
    let end = Instant::now() + Duration::from_secs(5);
    while on.board.snapshot().strip.is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    on.accounts.add_user(HOSTILE, Role::Admin, "long enough").unwrap();
    let mut client = Client::of(&on);
    let login = client.post("/login", "name=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22%27%26&password=long+enough");
    assert_eq!(login.status, 303, "{}", login.body);
    let part = format!("/part/{}", on.board.snapshot().strip[0].id);
    for path in [
        "/",
        &part,
        "/alarms",
        "/threshold",
        "/release",
        "/system",
        "/login",
        "/users",
        "/audit",
        "/strip",
        "/challenge",
        "/aid",
    ] {
        let page = client.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(!page.body.contains("<img src=x"), "{path}");
        let policy = "content-security-policy: default-src 'self'";
        for wanted in [policy, "frame-ancestors 'none'", "nosniff", "referrer-policy: same-origin", "no-store"] {
            assert!(page.head.contains(wanted), "{path} lacks {wanted}: {}", page.head);
        }
        for inline in ["style=", "onclick=", "<script>", "<style>"] {
            assert!(!page.body.contains(inline), "{path} holds {inline}, which its own policy forbids");
        }
    }
    assert!(client.get("/").body.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert_eq!(client.get("/part/none").status, 404);
    assert_eq!(client.get("/nowhere").status, 404);
    let asset = client.get(&format!("/assets/{}/htmx.min.js", super::assets::VERSION.as_str()));
    assert!(asset.head.contains("immutable") && asset.head.contains("javascript"), "{}", asset.head);
    assert!(client.get("/sizes.css").body.contains("--key:98px"));
}

#[test]
fn hosts_that_are_not_this_box_are_refused() {
    let on = start();
    let mut client = Client::of(&on);
    for (host, status) in [
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("", 403),
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:8090", 200),
        ("192.168.1.5:8090", 200),
        ("PRESS-7:8090", 200),
        ("press-7.local", 200),
        ("press-7.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        client.host = host.to_owned();
        assert_eq!(client.get("/").status, status, "{host}");
    }
}

#[test]
fn a_form_without_its_token_or_from_elsewhere_changes_nothing() {
    let on = start();
    on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    let mut client = Client::of(&on);
    assert_eq!(client.post("/login", "name=quinn&password=long+enough").status, 303);
    let token = client.token();
    let good = format!("csrf={token}&value=11&reason=x");
    for (further, body) in [
        ("", "value=11&reason=x".to_owned()),
        ("", "csrf=&value=11&reason=x".to_owned()),
        ("", format!("csrf={}&value=11&reason=x", "0".repeat(64))),
        ("Origin: http://evil.example\r\n", good.clone()),
        ("Origin: null\r\n", good.clone()),
        ("Sec-Fetch-Site: cross-site\r\n", good.clone()),
    ] {
        assert_eq!(client.send("POST", "/threshold/0", further, &body).status, 403, "{further}{body}");
    }
    // The token of somebody else's browser is none here.
    let other = Client::of(&on).token();
    assert_eq!(client.send("POST", "/threshold/0", "", &format!("csrf={other}&value=11&reason=x")).status, 403);
    assert_eq!(on.line.threshold(CameraId(0)), 10.0);
    assert_eq!(client.send("POST", "/threshold/0", "", &good).status, 303);
    assert_eq!(on.line.threshold(CameraId(0)), 11.0);
}

#[test]
fn what_a_role_may_not_is_refused_in_words() {
    let on = start();
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    on.board.take(PageRecord::Event(0, LineEvent::new(EventKind::LineStop, Mono::now())));
    let alarm = on.board.snapshot().alarms[0].id;
    let acknowledge = format!("/alarms/{alarm}/acknowledge");
    let mut client = Client::of(&on);
    assert_eq!(client.post(&acknowledge, "").status, 403, "nobody is logged in");
    let wrong = client.post("/login", "name=ana&password=0000");
    assert!(wrong.status == 401 && wrong.body.contains("name or password is wrong"), "{}", wrong.body);
    assert_eq!(client.post("/login", "name=ana&password=4711").status, 303);
    let refused = client.post("/threshold/0", "value=11&reason=x");
    assert!(refused.status == 403 && refused.body.contains("this needs the role quality"), "{}", refused.body);
    let refused = client.post("/release", "");
    assert!(refused.status == 403 && refused.body.contains("this needs the role leader"), "{}", refused.body);
    assert_eq!(client.get("/audit").status, 403);
    assert_eq!(client.get("/audit.csv").status, 403);
    assert_eq!(client.post(&acknowledge, "").status, 303);
    assert_eq!(on.board.snapshot().alarms[0].seen.as_ref().unwrap().user, "ana");
    assert_eq!(client.post("/logout", "").status, 303);
    assert_eq!(client.post(&acknowledge, "").status, 403);
    on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    client.post("/login", "name=quinn&password=long+enough");
    let nothing_said = client.post("/threshold/0", "value=11&reason=");
    assert!(nothing_said.status == 422 && nothing_said.body.contains("say why"), "{}", nothing_said.body);
    assert_eq!(client.post("/threshold/0", "value=eleven&reason=x").status, 422);
    let csv = client.get("/audit.csv");
    assert!(csv.status == 200 && csv.body.contains("acknowledge_alarm") && csv.body.contains("log_in"), "{}", csv.body);
    assert!(client.get("/audit.json").body.starts_with("[{\"id\":1,"));
}

#[test]
fn without_users_the_page_only_shows_and_says_how_the_first_is_made() {
    let on = start();
    let mut client = Client::of(&on);
    let login = client.get("/login").body;
    assert!(login.contains("andon user add NAME --role admin") && !login.contains("type=\"password\""), "{login}");
    assert_eq!(client.post("/login", "name=admin&password=admin").status, 401);
}

#[test]
fn a_flood_and_slow_clients_keep_nobody_from_the_page() {
    let on = start();
    let silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(on.server.address()).unwrap()).collect();
    let mut slow = TcpStream::connect(on.server.address()).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ").unwrap();
    let before = Instant::now();
    let mut client = Client::of(&on);
    assert_eq!(client.get("/").status, 200);
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
    let mut large = TcpStream::connect(on.server.address()).unwrap();
    large.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    large.write_all(format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {}\r\n\r\n", "x".repeat(60_000)).as_bytes()).ok();
    let mut answer = String::new();
    large.read_to_string(&mut answer).ok();
    assert!(!answer.starts_with("HTTP/1.1 200"), "a head of 60 kB: {answer}");
    assert_eq!(client.post("/look", &format!("theme={}", "x".repeat(40_000))).status, 413);
    slow.set_read_timeout(Some(Duration::from_secs(12))).unwrap();
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).ok();
    assert!(before.elapsed() < Duration::from_secs(12), "a head that does not end: {:?}", before.elapsed());
    drop(silent);
}

#[test]
fn streams_are_limited_by_themselves_and_bring_what_changed() {
    let mut on = start();
    let open = |n: usize| {
        let mut stream = TcpStream::connect(on.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET /events?view=live&camera={n} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        (String::from_utf8_lossy(&first).into_owned(), stream)
    };
    let mut streams: Vec<_> = (0..32).map(open).collect();
    assert!(streams.iter().all(|(head, _)| head.ends_with("200")));
    assert!(open(0).0.ends_with("503"));
    let mut client = Client::of(&on);
    assert_eq!(client.get("/").status, 200, "pages have room of their own");
    on.sink.offer(&Record::Verdict(verdict(4242, 12.0, 0)));
    let mut seen = String::new();
    let end = Instant::now() + Duration::from_secs(5);
    while !seen.contains("/part/") && Instant::now() < end {
        let mut some = [0; 65536];
        let n = streams[0].1.read(&mut some).unwrap();
        seen.push_str(&String::from_utf8_lossy(&some[..n]));
    }
    assert!(seen.contains("class=\"panel reject\""), "{seen}");
    assert!(seen.contains("event: beat") && seen.contains("id=\"verdict\"") && seen.contains("4\u{202f}242"), "{seen}");
}

#[test]
fn what_others_wrote_is_what_its_table_says() {
    let table = include_str!("../../assets/README.md");
    let mut named = 0;
    for asset in super::assets::ALL.iter().filter(|a| a.name.contains(".min.")) {
        let sum: String = Sha256::digest(asset.bytes).iter().map(|b| format!("{b:02x}")).collect();
        let line = table.lines().find(|l| l.contains(&format!("`{}`", asset.name))).unwrap();
        assert!(line.contains(&sum), "{} has the sha256 {sum}", asset.name);
        named += 1;
    }
    assert_eq!(named, 4);
    let own = include_str!("../../assets/page.js").lines().count();
    assert!(own <= 200, "{own} lines of script");
}

#[test]
fn languages_leave_no_text_empty_and_write_numbers_their_own_way() {
    for language in Language::ALL {
        let texts = lang::texts(language);
        for (name, text) in texts.all() {
            assert!(!text.trim().is_empty(), "{name} in {}", language.code());
        }
        for kind in EventKind::ALL {
            assert!((texts.event)(kind).iter().all(|text| text.len() > 3), "{kind:?}");
        }
        for reason in andon_core::Reason::ALL {
            assert!((texts.reason)(reason).ends_with('.'), "{reason:?}");
        }
    }
    assert_eq!(numbers::whole(1_234_567), "1\u{202f}234\u{202f}567");
    assert_eq!(numbers::real(0.25, 1, Language::De), "0,2");
    assert_eq!(numbers::share(1, 0, Language::En), "–");
}

#[test]
fn an_admin_changes_users_on_the_page_and_the_last_one_stays() {
    let on = start();
    on.accounts.add_user("ada", Role::Admin, "long enough").unwrap();
    let mut client = Client::of(&on);
    assert_eq!(client.post("/users", "name=eve&role=operator&password=4711&again=4711").status, 403, "nobody");
    assert_eq!(client.post("/login", "name=ada&password=long+enough").status, 303);
    let hostile = "name=%3Cimg+src%3Dx%3E%26%3D&role=operator&password=4711&again=4711";
    assert_eq!(client.post("/users", hostile).status, 303);
    assert!(on.accounts.user("<img src=x>&=").is_ok());
    let list = client.get("/users").body;
    assert!(list.contains("&lt;img src=x&gt;&amp;=") && !list.contains("<img src=x>"), "{list}");
    let (_, rest) = list.split_once("/users/one?name=%3C").unwrap();
    let address = format!("/users/one?name=%3C{}", rest.split('"').next().unwrap());
    assert!(client.get(&address).body.contains("value=\"&lt;img src=x&gt;&amp;=\""), "the way to a user of any name");
    for (form, status, words) in [
        ("name=leo&role=leader&password=4711&again=4711", 422, "at least 8 characters"),
        ("name=leo&role=leader&password=long+enough&again=long+enough+not", 422, "not the same"),
        ("name=leo&role=king&password=long+enough&again=long+enough", 422, "did not understand"),
        ("name=leo&role=viewer&password=long+enough&again=long+enough", 422, "did not understand"),
        ("name=&role=operator&password=4711&again=4711", 422, "1 to 40 characters"),
        ("name=ada&role=operator&password=4711&again=4711", 409, "already"),
    ] {
        let answer = client.post("/users", form);
        assert!(answer.status == status && answer.body.contains(words), "{form}: {} {}", answer.status, answer.body);
    }
    assert_eq!(on.accounts.users().unwrap().len(), 2, "nothing of these was done");

    // The last admin can neither go nor become less; with a second one, the first may.
    for (path, form) in [("/users/remove", "name=ada"), ("/users/role", "name=ada&role=quality")] {
        let refused = client.post(path, form);
        assert!(refused.status == 409 && refused.body.contains("last admin"), "{path}: {}", refused.body);
    }
    client.post("/users", "name=otto&role=operator&password=4711&again=4711");
    let without = client.post("/users/role", "name=otto&role=admin");
    assert!(without.status == 422 && without.body.contains("8 characters"), "a PIN is no password: {}", without.body);
    let with = "name=otto&role=admin&password=open+sesame&again=open+sesame";
    let done = client.post("/users/role", with);
    assert!(done.status == 303 && done.head.contains("/users/one?name=otto&done=role"), "{}", done.head);
    assert_eq!(on.accounts.user("otto").unwrap().role, Role::Admin);
    assert_eq!(client.post("/users/role", "name=ada&role=leader").status, 303);
    assert_eq!(on.accounts.user("ada").unwrap().role, Role::Leader);
    assert_eq!(client.get("/users").status, 403, "a role holds from the next request on");
    assert_eq!(client.post("/users/remove", "name=otto").status, 403);

    // Another password ends the sessions of the user.
    let mut otto = Client::of(&on);
    assert_eq!(otto.post("/login", "name=otto&password=open+sesame").status, 303);
    assert_eq!(otto.post("/users/password", "name=ada&password=brand+new+one&again=brand+new+one").status, 303);
    assert!(client.get("/login").body.contains("action=\"/login\""), "ada is logged out");
    assert_eq!(client.post("/login", "name=ada&password=brand+new+one").status, 303);
    assert_eq!(otto.post("/users/remove", "name=ada").status, 303);
    assert_eq!(otto.post("/users/remove", "name=ada").status, 404);
    let audit = otto.get("/audit.csv").body;
    for act in ["add_user", "change_role", "change_password", "remove_user"] {
        assert!(audit.contains(act), "{act} is not in {audit}");
    }
    for secret in ["4711", "sesame", "long enough", "brand new"] {
        assert!(!audit.contains(secret), "a password is in the audit: {audit}");
    }
}

#[test]
fn everybody_changes_his_own_password_who_knows_the_present_one() {
    let on = start();
    on.accounts.add_user("ana", Role::Operator, "4711").unwrap();
    let mut client = Client::of(&on);
    assert_eq!(client.post("/password", "current=4711&password=1234&again=1234").status, 403, "nobody is logged in");
    client.post("/login", "name=ana&password=4711");
    let mut elsewhere = Client::of(&on);
    elsewhere.post("/login", "name=ana&password=4711");
    let wrong = client.post("/password", "current=0000&password=1234&again=1234");
    assert!(wrong.status == 403 && wrong.body.contains("is wrong"), "{}", wrong.body);
    let short = client.post("/password", "current=4711&password=12&again=12");
    assert!(short.status == 422 && short.body.contains("4 digits"), "{}", short.body);
    assert_eq!(client.post("/password", "current=4711&password=123456&again=123456").status, 303);
    assert!(client.get("/login").body.contains("action=\"/logout\""), "still logged in here");
    assert!(elsewhere.get("/login").body.contains("action=\"/login\""), "and nowhere else");
    assert_eq!(elsewhere.post("/login", "name=ana&password=4711").status, 401);
    assert_eq!(elsewhere.post("/login", "name=ana&password=123456").status, 303);
    for _ in 0..3 {
        elsewhere.post("/password", "current=0000&password=1234&again=1234");
    }
    let waits = elsewhere.post("/password", "current=123456&password=1234&again=1234");
    assert!(waits.status == 429 && waits.body.contains("try again in"), "guesses wait: {}", waits.body);
}

#[test]
fn an_admin_takes_a_backup_along_that_can_be_put_back() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("part.andon"), "a model").unwrap();
    let plan = BackupPlan {
        files: vec![("models/part.andon".into(), dir.path().join("part.andon"))],
        configuration: "site = \"plant\"\n".into(),
        history: None,
        accounts: None,
        masked: Vec::new(),
        left_out: Vec::new(),
    };
    let on = start_full(station(), None, None, Some((plan, dir.path().to_owned())), None);
    on.accounts.add_user("quinn", Role::Quality, "long enough").unwrap();
    on.accounts.add_user("ada", Role::Admin, "long enough").unwrap();
    let mut client = Client::of(&on);
    client.post("/login", "name=quinn&password=long+enough");
    assert_eq!(client.post("/backup", "").status, 403);
    assert!(!client.get("/system").body.contains("action=\"/backup\""));
    client.post("/logout", "");
    client.post("/login", "name=ada&password=long+enough");
    assert!(client.get("/system").body.contains("action=\"/backup\""));
    let archive = client.post("/backup", "");
    assert!(archive.status == 200 && archive.head.contains("application/x-tar"), "{}", archive.head);
    assert!(archive.head.contains(&format!("content-length: {}", archive.body.len())), "{}", archive.head);
    let file = dir.path().join("box.tar");
    std::fs::write(&file, &archive.body).unwrap();
    restore(&file, &dir.path().join("back")).unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("back/models/part.andon")).unwrap(), "a model");
    let audit = client.get("/audit.csv").body;
    assert!(audit.contains("back_up") && audit.contains("2 files"), "{audit}");
    // Without a configuration file there is nothing to keep.
    let other = start();
    other.accounts.add_user("ada", Role::Admin, "long enough").unwrap();
    let mut client = Client::of(&other);
    client.post("/login", "name=ada&password=long+enough");
    assert_eq!(client.post("/backup", "").status, 404);
}
