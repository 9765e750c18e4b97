//! What makes a part: a light barrier in the picture, and one trigger for two cameras.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::common::{self, Peer, flange_model, free_port, signal, until};
use crate::plant::{Plant, middle, of};

#[test]
fn only_a_frame_in_which_a_part_came_is_one() {
    let presence = "presence = { x = 0.4, y = 0.4, width = 0.2, height = 0.2, level = 20.0, hysteresis = 5.0 }\n";
    let plant = Plant::new(presence, "");
    // Black pictures before, between and after two parts; the first part is seen in two pictures.
    let side = image::image_dimensions(plant.path().join("00.png")).unwrap().0;
    let black = vec![0; (side * side * 3) as usize];
    let part = std::fs::read(plant.path().join("00.png")).unwrap();
    for (n, there) in [false, true, true, false, true, false].into_iter().enumerate() {
        let path = plant.path().join(format!("{n:02}.png"));
        match there {
            true => std::fs::write(path, &part).unwrap(),
            false => common::write_png(&path, side, &black),
        }
    }
    let mut run = plant.run();
    let verdicts = |seen: &[Value]| of(seen, "andon.verdict.v1").len();
    assert!(until(30, || {
        run.drain();
        verdicts(&run.seen) >= 8
    }));
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));
    let times: Vec<u64> =
        of(&run.seen, "andon.verdict.v1").iter().map(|v| v["t_capture_mono_ns"].as_u64().unwrap()).collect();
    assert!(of(&run.seen, "andon.verdict.v1").iter().all(|v| v["result"] != "REJECT"), "black pictures are no parts");
    // Six pictures of 100 ms each hold two parts, 300 ms apart.
    for w in times.windows(2) {
        let ms = (w[1] - w[0]) as f64 / 1e6;
        assert!((250.0..=950.0).contains(&ms), "{ms} ms between two parts");
    }
}

#[test]
fn a_part_is_good_only_if_both_of_its_cameras_say_so() {
    let modbus = free_port();
    let good = Plant::new("", "");
    // The second camera sees good parts only, the first a bad one in every third picture.
    std::fs::copy(good.path().join("00.png"), good.path().join("02.png")).unwrap();
    std::fs::copy(good.path().join("01.png"), good.path().join("05.png")).unwrap();
    let rest = format!(
        "[cameras.side]\ncontinuous = true\npipeline = \"images\"\nmodel = \"{}\"\nthreshold = {}\n[cameras.side.vars]\n\
         pattern = \"{}/%02d.png\"\nfps = \"10\"\nloop = \"true\"\ntype = \"image/png\"\ndecoder = \"pngdec\"\n\
         [modbus_server]\nenabled = true\nlisten = \"127.0.0.1:{modbus}\"\nallow_write = true\n\
         [parts]\ntrigger = \"message\"\nframe_ms = [-60, 60]\nmin_pitch_mm = 20\n[belt]\nspeed_m_s = 0.8\n",
        flange_model().display(),
        middle(),
        good.path().display()
    );
    let plant = Plant::new("", &rest);
    let mut run = plant.run();
    assert!(until(30, || std::net::TcpStream::connect(("127.0.0.1", modbus)).is_ok()));
    std::thread::sleep(Duration::from_secs(1));
    let Some(mut plc) = Peer::start("plc.py", &[&modbus.to_string(), "8", "--trigger", "3.7"]) else { return };
    assert_eq!(plc.finish(Duration::from_secs(30)), Some(0), "{:?}", plc.seen.last());
    signal(run.id(), "TERM");
    assert_eq!(run.finish(Duration::from_secs(10)), Some(0));

    let mut cameras: BTreeMap<u64, BTreeMap<&str, &str>> = BTreeMap::new();
    for v in of(&run.seen, "andon.verdict.v1") {
        let camera = v["camera"].as_str().unwrap();
        let before =
            cameras.entry(v["seq"].as_u64().unwrap()).or_default().insert(camera, v["result"].as_str().unwrap());
        assert_eq!(before, None, "one verdict a camera and part");
    }
    let parts = of(&run.seen, "andon.part.v1");
    assert!(parts.len() > 10, "{}", parts.len());
    let mut rejected_by_one = 0;
    for p in &parts {
        let said = &cameras[&p["seq"].as_u64().unwrap()];
        assert_eq!(said.len(), 2, "both cameras have a verdict: {p}");
        let all_pass = said.values().all(|r| *r == "PASS");
        assert_eq!(p["result"] == "PASS", all_pass, "{p} {said:?}");
        rejected_by_one += u32::from(said["top"] == "REJECT" && said["side"] == "PASS" && p["result"] == "REJECT");
    }
    assert!(rejected_by_one > 0, "{cameras:?}");
    assert!(parts.iter().any(|p| p["result"] == "PASS"), "{cameras:?}");

    // Both cameras run freely, and only one of them says so. What the other's frames between parts are is told at once and then counted.
    let orphans: Vec<&Value> = run.seen.iter().filter(|v| v["event"] == "frame_without_part").collect();
    assert!(orphans.iter().all(|v| v["camera"] == "top"), "{orphans:?}");
    let times: Vec<u64> = orphans.iter().map(|v| v["times"].as_u64().unwrap()).collect();
    assert!(times[0] == 1 && times.len() <= 5 && times.iter().sum::<u64>() > 10, "{times:?}");
}
