use super::*;

const CAMERA: &str = "[cameras.top]\npipeline = \"test\"\nmodel = \"part.andon\"\n";

fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("andon.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn refusal(text: &str) -> String {
    let (_dir, path) = write(text);
    load(Some(&path), env(&[]), &[]).unwrap_err().to_string()
}

#[test]
fn the_manual_is_a_valid_configuration_and_states_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml");
    let loaded = load(Some(&path), env(&[]), &[]).unwrap();
    let mut raw = loaded.raw;
    let top = raw.cameras.remove("top").unwrap();
    let written: RawCameraDefaults = toml::from_str("pipeline = \"v4l2\"\nmodel = \"part.andon\"").unwrap();
    assert_eq!(top.deadline_ms, written.deadline_ms);
    assert_eq!(toml::to_string(&raw).unwrap(), toml::to_string(&Raw::default()).unwrap());
}

type RawCameraDefaults = crate::config::RawCamera;

#[test]
fn every_key_of_the_schema_is_in_the_manual() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/andon.toml")).unwrap();
    let schema = schema();
    let mut tables = vec![&schema];
    tables.extend(schema["$defs"].as_object().unwrap().values());
    for table in tables {
        for key in table["properties"].as_object().into_iter().flat_map(|p| p.keys()) {
            assert!(text.contains(key.as_str()), "`{key}` is not explained in config/andon.toml");
        }
    }
}

#[test]
fn later_layers_win() {
    let (_dir, path) = write(&format!("site = \"file\"\nline = \"file\"\n{CAMERA}"));
    let vars = env(&[("ANDON__LINE", "env"), ("ANDON__STATION", "env"), ("ANDON__CAMERAS__TOP__DEADLINE_MS", "40")]);
    let loaded = load(Some(&path), vars, &[("station", "flag".into())]).unwrap();
    let c = loaded.config;
    assert_eq!((c.site.as_str(), c.line.as_str(), c.station.as_str()), ("file", "env", "flag"));
    assert_eq!(c.cameras[0].deadline.as_millis(), 40);
    assert_eq!(c.cameras[0].model, path.parent().unwrap().join("part.andon"));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let text = refusal("site = \"a\"\n\n[engine]\nthraeds = 2\n");
    assert!(
        text.contains("andon.toml:4") && text.contains("`engine.thraeds`") && text.contains("`engine.threads`"),
        "{text}"
    );
    let text = refusal(&format!("{CAMERA}dead_line = 3\n"));
    assert!(text.contains(":4") && text.contains("did you mean `cameras.top.deadline_ms`?"), "{text}");
}

#[test]
fn an_unknown_variable_of_the_environment_is_named() {
    let text = load(None, env(&[("ANDON__ENGINE__KNID", "rten")]), &[]).unwrap_err().to_string();
    assert!(text.contains("engine.knid") && text.contains("did you mean `engine.kind`?"), "{text}");
    assert!(load(None, env(&[("ANDON_LOG", "debug"), ("PATH", "/bin")]), &[]).is_ok(), "other variables are not ours");
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    let text = refusal("[engine]\nthreads = \"two\"\n");
    assert!(text.contains("line 2") && text.contains("invalid type"), "{text}");
    let text = refusal("[engine]\nkind = \"fast\"\n");
    assert!(text.contains("line 2") && text.contains("rten"), "{text}");
    let text = load(None, env(&[("ANDON__ENGINE__THREADS", "two")]), &[]).unwrap_err().to_string();
    assert!(text.contains("engine.threads"), "{text}");
}

#[test]
fn everything_out_of_range_is_listed_at_once() {
    let text = refusal(
        "site = \"a/b\"\n[metrics]\nlisten = \"here\"\n[cameras.top]\npipeline = \"\"\nmodel = \"m\"\ndeadline_ms = 0\nthreshold = -1.0\n[engine]\nmax_wait_ms = -1.0\n",
    );
    for word in ["engine.max_wait_ms:", "site:", "metrics.listen:", "pipeline:", "deadline_ms:", "threshold:"] {
        assert!(text.contains(word), "{word} missing in {text}");
    }
}

#[test]
fn broken_toml_and_absent_files_are_named() {
    assert!(refusal("site = \n").contains("line 1"));
    let text = load(Some(Path::new("/nonexistent/andon.toml")), env(&[]), &[]).unwrap_err().to_string();
    assert!(text.contains("/nonexistent/andon.toml"), "{text}");
}

#[test]
fn the_merged_configuration_can_be_written_and_read_back() {
    let (_dir, path) = write(CAMERA);
    let shown = toml::to_string(&load(Some(&path), env(&[]), &[]).unwrap().raw).unwrap();
    let (_dir2, again) = write(&shown);
    assert!(load(Some(&again), env(&[]), &[]).is_ok(), "{shown}");
}

#[test]
fn text_from_the_environment_and_flags_stays_as_it_is_written() {
    let (_dir, path) = write(&format!("{CAMERA}vars = {{ width = \"640\" }}\n"));
    for text in ["007", "1.10", "true", "1e5", "0x10", " a ", "-0", "", "a,b"] {
        let vars = env(&[("ANDON__CAMERAS__TOP__VARS__ID", text), ("ANDON__SITE", "0042")]);
        let raw = load(Some(&path), vars, &[("cameras.top.vars.other", text.to_owned())]).unwrap().raw;
        let vars = &raw.cameras["top"].vars;
        assert_eq!((vars["id"].as_str(), vars["other"].as_str(), vars["width"].as_str()), (text, text, "640"));
        assert_eq!(raw.site, "0042");
    }
    let vars = env(&[
        ("ANDON__ENGINE__THREADS", "1"),
        ("ANDON__CAMERAS__TOP__THRESHOLD", "1e1"),
        ("ANDON__STORE__ENABLED", "true"),
        ("ANDON__ZENOH__LISTEN", "tcp/127.0.0.1:1, tcp/127.0.0.1:2"),
        ("ANDON__ZENOH__CONNECT", ""),
        ("ANDON__CAPTURE__ALLOW_ELEMENTS", "007"),
        ("ANDON__MQTT__RECORDS", "event,part"),
        ("ANDON__ALARMS__SHARE", "10,100"),
        ("ANDON__MQTT__CLIENT_ID", "1.10"),
    ]);
    let raw = load(Some(&path), vars, &[]).unwrap().raw;
    assert_eq!((raw.engine.threads, raw.cameras["top"].threshold, raw.store.enabled), (1, Some(10.0), true));
    assert_eq!(raw.zenoh.listen, ["tcp/127.0.0.1:1", "tcp/127.0.0.1:2"]);
    assert_eq!((raw.zenoh.connect.len(), raw.capture.allow_elements), (0, vec!["007".to_owned()]));
    assert_eq!((raw.mqtt.records.len(), raw.alarms.share), (2, Some([10, 100])));
    assert_eq!(raw.mqtt.client_id.as_deref(), Some("1.10"));
    let text = load(Some(&path), env(&[]), &[("engine.thraeds", "1".into())]).unwrap_err().to_string();
    assert!(text.contains("--set") && text.contains("`engine.threads`"), "{text}");
}

/// A line with a sensor, an ejector and what else is given.
fn line(more: &str) -> String {
    format!(
        "{CAMERA}[parts]\ntrigger = \"sensor\"\nsensor = \"eye\"\n[belt]\nspeed_m_s = 0.8\n[inputs.eye]\ndriver = \"modbus\"\n\
         address = \"10.0.0.5:502\"\npoint = 0\n[outputs.valve]\ndriver = \"modbus\"\naddress = \"10.0.0.5:502\"\npoint = 0\n\
         [ejectors.jet]\noutput = \"valve\"\ndistance_mm = 450\npart_mm = 40\nbefore_mm = 2\n{more}"
    )
}

#[test]
fn a_wire_has_one_use() {
    let ms = |text: String| text.replace("[belt]", "frame_ms = [0, 40]\n[belt]");
    let (_dir, path) = write(&ms(line("")));
    load(Some(&path), env(&[]), &[]).unwrap();
    let coil = "[outputs.alive]\ndriver = \"modbus\"\naddress = \"10.0.0.5:502\"\npoint = 0\n";
    let eye = "[inputs.bin]\ndriver = \"modbus\"\naddress = \"10.0.0.5:502\"\npoint = 0\n";
    let lines = "[outputs.a]\ndriver = \"gpio\"\nchip = \"/dev/gpiochip0\"\nline = 4\n[inputs.b]\ndriver = \"gpio\"\n\
                 chip = \"/dev/gpiochip0\"\nline = 4\n";
    for (more, words) in [
        (format!("[alarms]\nheartbeat = \"alive\"\n{coil}"), "coil 0 of 10.0.0.5:502"),
        (eye.to_owned(), "inputs.eye: input 0 of 10.0.0.5:502"),
        (lines.to_owned(), "outputs.a: line 4 of /dev/gpiochip0"),
        ("confirm = \"eye\"\n".to_owned(), "ejectors.jet.confirm: the input `eye` is parts.sensor already"),
        ("[alarms]\nline_stop = \"valve\"\n".to_owned(), "the output `valve` is ejectors.jet.output already"),
    ] {
        let text = refusal(&ms(line(&more)));
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let encoder = ms(line(lines))
        .replace("speed_m_s", "encoder = \"gpio\"\nchip = \"/dev/gpiochip0\"\nline = 4\ncounts_per_mm = 1\nspeed_m_s");
    assert!(refusal(&encoder).contains("inputs.b: line 4 of /dev/gpiochip0 is belt.line already"));
}

#[test]
fn a_port_has_one_server() {
    let servers =
        "[metrics]\nlisten = \"127.0.0.1:1502\"\n[modbus_server]\nenabled = true\nlisten = \"0.0.0.0:1502\"\n";
    let text = refusal(&format!("{CAMERA}{servers}"));
    assert!(text.contains("modbus_server.listen: 0.0.0.0:1502 is taken by metrics.listen"), "{text}");
    let text = refusal(&format!("{CAMERA}[zenoh]\nlisten = [\"tcp/127.0.0.1:9464\"]\n"));
    assert!(text.contains("zenoh.listen: 127.0.0.1:9464 is taken by metrics.listen"), "{text}");
    let apart = servers.replace("0.0.0.0:1502", "127.0.0.2:1502");
    let (_dir, path) = write(&format!("{CAMERA}{apart}"));
    load(Some(&path), env(&[]), &[]).unwrap();
}

#[test]
fn a_window_ends_before_the_ejector_and_the_deadline() {
    for (window, words) in [
        ("frame_mm = [20, 500]", "ends 500 mm behind the trigger, and ejectors.jet acts at 448 mm"),
        ("frame_mm = [20, 300]", "ends 375 ms after the trigger, and parts.deadline_ms is 250"),
        ("frame_ms = [0, 600]", "ends 480 mm behind the trigger"),
        ("frame_ms = [0, 251]", "ends 251 ms after the trigger"),
        ("frame_ms = [-60, -10]", "before the trigger"),
    ] {
        let text = refusal(&line("").replace("[belt]", &format!("{window}\n[belt]")));
        assert!(text.contains(words), "`{words}` is not in {text}");
    }
    let (_dir, path) = write(&line("").replace("[belt]", "frame_mm = [20, 35]\n[belt]"));
    load(Some(&path), env(&[]), &[]).unwrap();
}

#[test]
fn addresses_are_looked_at_and_the_distance_that_needs_the_speed_is_named() {
    for (text, words) in [
        (line("").replace("10.0.0.5:502", "10.0.0.5"), "inputs.eye.address: `10.0.0.5`: the port is missing"),
        (format!("{CAMERA}[store]\nenabled = true\n[mqtt]\nenabled = true\nhost = \"mqtt://broker\"\n"), "mqtt.host"),
        (format!("{CAMERA}[store]\nenabled = true\n[webhook]\nenabled = true\nurl = \"http://\"\n"), "webhook.url"),
        (format!("{CAMERA}[zenoh]\nconnect = [\"tcp/192.168.1.10\"]\n"), "zenoh.connect: `tcp/192.168.1.10`: the port"),
        (format!("{CAMERA}[zenoh]\nlisten = [\"tls/0.0.0.0:7447\"]\n"), "zenoh.tls.certificate"),
        (format!("{CAMERA}[zenoh]\nmode = \"client\"\n"), "zenoh.connect: empty"),
        (line("").replace("speed_m_s = 0.8\n", ""), "ejectors.jet.distance_mm and parts.min_pitch_mm (here 1 mm)"),
        (
            format!("{CAMERA}[parts]\ntrigger = \"message\"\nframe_ms = [0, 40]\n"),
            "the belt's speed turns parts.min_pitch_mm (here 1 mm) into a time",
        ),
    ] {
        let told = refusal(&text);
        assert!(told.contains(words), "`{words}` is not in {told}");
    }
}

#[test]
fn a_camera_is_opened_once() {
    let two = |a: &str, b: &str| {
        format!(
            "[cameras.a]\npipeline = \"v4l2\"\nmodel = \"m\"\n{a}\n[cameras.b]\npipeline = \"v4l2\"\nmodel = \"m\"\n{b}\n"
        )
    };
    let text = refusal(&two("", "vars = { DEVICE = \"/dev/video0\" }"));
    assert!(text.contains("cameras.b.vars.device: /dev/video0 is that of cameras.a already"), "{text}");
    let (_dir, path) = write(&two("", "vars = { device = \"/dev/video1\" }"));
    load(Some(&path), env(&[]), &[]).unwrap();
}

#[test]
fn paths_of_zenoh_are_taken_from_the_folder_of_the_file_too() {
    let (_dir, path) = write(&format!("{CAMERA}[zenoh]\nconfig_file = \"z.json5\"\n[zenoh.tls]\nca = \"ca.pem\"\n"));
    let zenoh = load(Some(&path), env(&[]), &[]).unwrap().config.sinks.zenoh;
    let folder = path.parent().unwrap();
    assert_eq!((zenoh.config_file, zenoh.tls.ca), (Some(folder.join("z.json5")), Some(folder.join("ca.pem"))));
}
