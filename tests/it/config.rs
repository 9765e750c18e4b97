//! The configuration says what is so: `config check` answers as `run` does, all at once, and nothing secret leaves.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::common::{self, Said, flange_model, run, said, until};

/// A folder with a configuration in it; `MODEL` stands for the path of a model that is there.
fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("andon.toml");
    std::fs::write(&path, text.replace("MODEL", flange_model().to_str().unwrap())).unwrap();
    (dir, path)
}

/// What `config check` says, after a look at `run`, which has to refuse with the same words and the same code.
fn refused_alike(text: &str) -> String {
    let (_dir, path) = written(text);
    let check = said(&["config", "check", "-c", path.to_str().unwrap()]);
    assert_eq!(check.code, 78, "{text}\n{}{}", check.out, check.err);
    let run = said(&["run", "-c", path.to_str().unwrap()]);
    assert_eq!((run.code, &run.err), (78, &check.err), "{text}");
    assert!(check.err.starts_with("andon: ") && !check.err.contains("panicked"), "{}", check.err);
    check.err
}

const CAMERA: &str = "[cameras.top]\npipeline = \"test\"\nmodel = \"MODEL\"\n";

#[cfg(feature = "gst")]
#[test]
fn check_refuses_what_run_refuses_with_the_same_words() {
    let camera =
        |pipeline: &str, more: &str| format!("[cameras.top]\nmodel = \"MODEL\"\npipeline = \"{pipeline}\"\n{more}");
    for (text, words) in [
        (camera("rtsp", ""), &["camera `top`", "no value for `URL`"][..]),
        (camera("v4l", ""), &["no pipeline `v4l`, did you mean `v4l2`?"]),
        (camera("nope.gst", ""), &["nope.gst"]),
        (camera("v4l2", "vars = { devise = \"/dev/video1\" }"), &["`DEVISE`, did you mean `DEVICE`?"]),
        (camera("file", "vars = { file = \"/data/Meine Aufnahme.mkv\" }"), &["FILE"]),
        (camera("file", "vars = { fiel = \"a b\" }"), &["no value for `FILE`", "did you mean `FILE`?"]),
        (CAMERA.replace("MODEL", "/nope.andon"), &["cameras.top.model", "/nope.andon"]),
        (CAMERA.replace("MODEL", "andon.toml"), &["cameras.top.model", "andon fit"]),
        (format!("{CAMERA}threshold = 1e9"), &["cameras.top.threshold", "%", "threshold_unsafe = true"]),
        (
            format!("{CAMERA}[store]\nenabled = true\npath = \"/no/such/folder/a.db\""),
            &["store.path", "/no/such/folder"],
        ),
        (
            format!("{CAMERA}[store]\nenabled = true\n[webhook]\nenabled = true\ntoken_file = \"/no/token\""),
            &["webhook.token_file", "/no/token"],
        ),
        (format!("{CAMERA}[log]\nlevel = \"inof\""), &["log.level", "did you mean `info`?"]),
        (format!("{CAMERA}[engine]\nthreads = 100000"), &["engine.threads", "this machine has"]),
        (
            format!("{CAMERA}[engine]\nkind = \"ort\"\nort_library = \"/no/libonnxruntime.so\""),
            &["engine.kind", "/no/libonnxruntime.so"],
        ),
        ("site = \"x\"\n".to_owned(), &["cameras: none", "[cameras.NAME]"]),
    ] {
        let told = refused_alike(&text);
        for word in words {
            assert!(told.contains(word), "`{word}` is not in {told}");
        }
    }
}

#[test]
fn everything_that_is_wrong_is_listed_at_once() {
    let told = refused_alike(
        "site = \"a b\"\n[cameras.top]\npipeline = \"v4l\"\nmodel = \"/nope.andon\"\ndeadline_ms = 0\n\
         [cameras.side]\npipeline = \"test\"\nmodel = \"MODEL\"\nvars = { patern = \"ball\" }\n\
         [store]\nenabled = true\npath = \"/no/such/a.db\"\n[mqtt]\nenabled = true\nhost = \"broker:1883\"\n",
    );
    for word in ["site:", "`v4l2`", "/nope.andon", "deadline_ms", "`PATTERN`", "/no/such", "mqtt.host"] {
        assert!(told.contains(word), "`{word}` is not in {told}");
    }
    let (_dir, path) =
        written("[engine]\nthreads = \"two\"\nkidn = \"ort\"\n[cameras.top]\npipeline = 3\nmodel = \"m\"\n");
    let told = said(&["config", "check", "-c", path.to_str().unwrap()]);
    for word in ["line 2, column 11", "`engine.kidn`", "line 5, column 12"] {
        assert!(told.code == 78 && told.err.contains(word), "`{word}` is not in {}", told.err);
    }
    assert!(!told.err.contains("missing field"), "{}", told.err);
}

#[cfg(all(feature = "gst", feature = "modbus"))]
#[test]
fn a_configuration_that_is_fine_says_what_was_understood() {
    let (_dir, path) = written(&format!(
        "{CAMERA}[parts]\ntrigger = \"sensor\"\nsensor = \"eye\"\nframe_mm = [20, 35]\n\
         [belt]\nencoder = \"modbus\"\naddress = \"127.0.0.1:1502\"\nregister = 0\ncounts_per_mm = 10\nspeed_m_s = 1\n\
         [inputs.eye]\ndriver = \"modbus\"\naddress = \"127.0.0.1:1502\"\npoint = 0\n\
         [outputs.valve]\ndriver = \"modbus\"\naddress = \"127.0.0.1:1502\"\npoint = 0\n\
         [outputs.lamp]\ndriver = \"modbus\"\naddress = \"127.0.0.1:1502\"\npoint = 1\n\
         [ejectors.jet]\noutput = \"valve\"\ndistance_mm = 450\npart_mm = 40\n"
    ));
    let told = said(&["config", "check", "-c", path.to_str().unwrap()]);
    assert_eq!(told.code, 0, "{}", told.err);
    for words in [
        "fine, 1 camera, 1 ejector",
        "top: pipeline test, model flange ",
        "from 12 pictures, threshold ",
        "the input eye, their frames are taken 20 to 35 mm behind it; jet acts at 450 mm",
        "Modbus device 127.0.0.1:1502: 1 encoder, 1 input, 1 output\n",
        "ways out: none",
        "note: outputs.lamp: nothing uses it",
        "note: cameras.top: it is set to 640x480, and its model learned 320x320",
    ] {
        assert!(told.out.contains(words), "`{words}` is not in {}", told.out);
    }
}

#[cfg(feature = "gst")]
#[test]
fn a_file_for_another_machine_is_checked_without_asking_this_one() {
    let (_dir, path) = written("[cameras.top]\npipeline = \"v4l2\"\nmodel = \"/var/lib/andon/part.andon\"\n");
    let told = said(&["config", "check", "--elsewhere", "-c", path.to_str().unwrap()]);
    assert!(told.code == 0 && told.out.contains("not looked at"), "{}{}", told.out, told.err);
    let told = run(common::andon(&["config", "check"]).current_dir("/"));
    assert_eq!(told.code, 78);
    assert!(told.err.contains("no configuration file") && told.err.contains("-c FILE"), "{}", told.err);
    let told = run(common::andon(&["config", "check", "--elsewhere"]).current_dir(path.parent().unwrap()));
    assert!(told.code == 0 && told.out.contains("andon.toml: fine"), "the file that run would take: {}", told.err);
}

#[test]
fn a_log_filter_that_names_nothing_is_refused_and_the_levels_are_named() {
    for filter in ["inof", "verbose", "info,andon::captrue=debug", "a=b=c", ""] {
        let flag = said(&["config", "schema", "--log", filter]);
        let environment = run(common::andon(&["config", "schema"]).env("ANDON_LOG", filter));
        for told in [flag, environment] {
            assert_eq!(told.code, 2, "{filter}: {}", told.err);
            assert!(told.err.contains("--log") && told.err.contains("error, warn, info, debug"), "{}", told.err);
        }
    }
    assert_eq!(said(&["config", "schema", "--log", "warn,andon_io::capture=debug,zenoh=error"]).code, 0);
}

#[test]
fn flags_have_limits_that_fit_the_machine_and_are_named() {
    let model = flange_model().to_str().unwrap();
    for (args, words) in [
        (&["demo", "--threads", "99999"][..], ["--threads", "this machine has"]),
        (&["bench", model, "--threads", "2000"], ["--threads", "this machine has"]),
        (&["fit", ".", "-o", "x.andon", "--threads", "2000"], ["--threads", "this machine has"]),
        (&["fit", ".", "-o", "x.andon", "--bank", "99999999999"], ["--bank", "0..=1000000"]),
        (&["demo", "--rate", "1e9"], ["--rate", "0.1..=1000"]),
        (&["demo", "--rate", "nan"], ["--rate", "0.1..=1000"]),
        (&["demo", "--learn", "100000000"], ["--learn", "1..=10000"]),
        (&["demo", "--seconds", "99999999999"], ["--seconds", "0..="]),
        (&["bench", model, "--seconds", "99999999999"], ["--seconds", "0..="]),
        (&["sim", "--speed", "0.001mm/s"], ["--parts", "days on the belt"]),
        (&["plc-check", "walk", "--pulse", "1000s"], ["--pulse", "more than 10 s"]),
        (&["sim", "--parts", "1000000000000"], ["--parts", "1..=10000000"]),
    ] {
        let told = said(args);
        assert_eq!(told.code, 2, "{args:?}: {}", told.err);
        assert!(words.iter().all(|w| told.err.contains(w)), "{args:?}: {}", told.err);
    }
}

#[test]
fn secrets_leave_neither_in_what_is_shown_nor_in_errors() {
    let camera = "[cameras.top]\npipeline = \"rtsp\"\nmodel = \"m\"\n[cameras.top.vars]\nurl = \"rtsp://adm:geheim@10.0.0.5/a\"\n";
    let (_dir, path) = written(camera);
    let told = said(&["config", "show", "-c", path.to_str().unwrap()]);
    assert!(told.code == 0 && told.out.contains("rtsp://***@10.0.0.5/a"), "{}{}", told.out, told.err);
    let broken: [String; 5] = [
        camera.replace("/a\"", "/a"),
        camera.replace("[cameras.top.vars]\nurl", "deadline_ms"),
        camera.replace("rtsp\"", "v4l2\""),
        camera.replace("geheim", "ge heim"),
        format!("{camera}[webhook]\nenabled = true\nurl = \"ftp://u:geheim@host/x?token=geheim\"\n"),
    ];
    for text in &broken {
        let (_dir, path) = written(text);
        for command in [&["config", "check"][..], &["run"]] {
            let told = said(&[command, &["-c", path.to_str().unwrap()]].concat());
            assert_eq!(told.code, 78, "{text}");
            assert!(!told.err.contains("heim"), "{text}: {}", told.err);
        }
    }
    let mut command = common::andon(&["config", "check", "-c", path.to_str().unwrap()]);
    let told = run(command.env("ANDON__CAMERAS__TOP__DEADLINE_MS", "rtsp://adm:geheim@10.0.0.5"));
    assert!(told.code == 78 && !told.err.contains("geheim"), "{}", told.err);
}

#[test]
fn what_is_not_in_a_build_says_so() {
    if cfg!(feature = "tensorrt") {
        return;
    }
    for args in [
        &["engine", "build", "part.andon", "--again"][..],
        &["engine"],
        &["demo", "--engine", "tensorrt"],
        &["inspect", "x.andon", "x.png", "--engine", "tensorrt"],
    ] {
        let told = said(args);
        let words = "not in this build: needs --features tensorrt";
        assert!(told.code == 2 && told.err.contains(words), "{args:?}: {} {}", told.code, told.err);
    }
    if !cfg!(feature = "cuda") {
        let told = said(&["doctor", "--gpu"]);
        assert!(told.code == 2 && told.err.contains("needs --features cuda"), "{}", told.err);
    }
    let told = refused_alike(&format!("{CAMERA}[engine]\nkind = \"tensorrt\"\n"));
    assert!(told.contains("engine.kind: not in this build: needs --features tensorrt"), "{told}");
    if !cfg!(feature = "opcua") {
        let told = refused_alike(&format!("{CAMERA}[opcua]\nenabled = true\n"));
        assert!(told.contains("opcua.enabled: not in this build: needs --features opcua"), "{told}");
    }
}

/// Starts the program, waits until it says something or a while, ends it by a signal; how long that took, and what it said.
fn ended(args: &[&str], signal: &str, after: Duration) -> (Duration, std::process::ExitStatus, Said) {
    let mut child = common::andon(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    assert!(child.try_wait().unwrap().is_none(), "{args:?} ended too soon");
    let start = Instant::now();
    common::signal(child.id(), signal);
    let gone = until(10, || child.try_wait().unwrap().is_some());
    let took = start.elapsed();
    drop(child.kill());
    let output = child.wait_with_output().unwrap();
    assert!(gone, "{args:?} does not end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) };
    (took, output.status, said)
}

/// Whether whoever started the tests had this signal ignored (`nohup`, a background job); children inherit that.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|l| l.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() >> (signal - 1) & 1 == 1
}

#[test]
fn a_signal_ends_learning_at_once_and_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good");
    let out = dir.path().join("out");
    std::fs::create_dir(&good).unwrap();
    std::fs::create_dir(&out).unwrap();
    let belt = andon_sim::Conveyor::new(andon_sim::SimSpec::default());
    let mut rgb = Vec::new();
    for k in 0..40 {
        belt.paint_good(k, &mut rgb);
        common::write_png(&good.join(format!("{k:02}.png")), belt.spec().side, &rgb);
    }
    let model = out.join("part.andon");
    let fit = ["fit", good.to_str().unwrap(), "-o", model.to_str().unwrap(), "--bank", "8000"];
    for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        if is_ignored(number) {
            continue;
        }
        let (took, status, said) = ended(&fit, signal, Duration::from_millis(1500));
        assert_eq!(status.signal(), Some(number), "{}", said.err);
        assert!(took < Duration::from_secs(2), "{signal}: {took:?}");
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "{signal} left {left:?}");
    }
}

#[cfg(feature = "gst")]
#[test]
fn a_signal_ends_the_demo_while_it_learns() {
    use std::os::unix::process::ExitStatusExt;
    let (took, status, said) = ended(&["demo", "--learn", "2000", "--json"], "TERM", Duration::from_millis(1500));
    assert_eq!(status.signal(), Some(15), "{}", said.err);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[cfg(feature = "gst")]
#[test]
fn the_start_has_a_line_for_each_camera_with_its_model_and_its_threshold() {
    let start = |more: &str| {
        let (_dir, path) = written(&format!("{CAMERA}{more}"));
        let (_, _, said) = ended(&["run", "-c", path.to_str().unwrap()], "TERM", Duration::from_secs(4));
        assert_eq!(said.code, 0, "{}", said.err);
        said.err
    };
    let line = |log: &str| {
        log.lines().find(|l| l.contains("top: model flange ")).unwrap_or_else(|| panic!("{log}")).to_owned()
    };
    let own = line(&start(""));
    for word in ["INFO", "learned 20", "from 12 pictures", "threshold ", "engine ", "320x320"] {
        assert!(own.contains(word), "`{word}` is not in {own}");
    }
    let over = line(&start("threshold = 2.0\n"));
    assert!(over.contains("WARN") && over.contains("(configuration: 2.00, ") && over.contains("%)"), "{over}");
    let far = line(&start("threshold = 1e6\nthreshold_unsafe = true\n"));
    assert!(far.contains("WARN") && far.contains("(configuration: 1000000.00, "), "{far}");
}

#[cfg(all(feature = "gst", feature = "zenoh", feature = "web", feature = "modbus", feature = "store"))]
#[test]
fn manual_and_examples_are_fine_for_the_machines_that_they_are_meant_for() {
    let mut files = vec![common::root().join("config/andon.toml")];
    files.extend(std::fs::read_dir(common::root().join("config/examples")).unwrap().map(|e| e.unwrap().path()));
    for file in files {
        let told = said(&["config", "check", "--elsewhere", "-c", file.to_str().unwrap()]);
        assert_eq!(told.code, 0, "{}: {}", file.display(), told.err);
        // Here they lack only what is on those machines.
        let told = said(&["config", "check", "-c", file.to_str().unwrap()]);
        let lacking = |l: &str| {
            ["cannot read the model", "does not exist", "GStreamer has no element"].iter().any(|w| l.contains(w))
        };
        let lines = told.err.lines().filter(|l| *l != "andon: configuration refused:");
        for line in lines {
            assert!(lacking(line), "{}: {line}", file.display());
        }
    }
}
