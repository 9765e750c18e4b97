//! What is here, what is missing, and how to get it.

mod machine;
mod needs;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::output;
use super::{gpu_check, setup};
use crate::assemble::precheck::{self, Checked};
use crate::config;
use andon_io::capture::{gstreamer_version, missing_elements};
use andon_io::fieldio::gpio::gpio_chips;
use andon_io::sinks::SINKS;
use andon_io::sinks::zenoh::{ZenohConfig, probe};
use andon_vision::model::Backbone;
use andon_vision::model::embedder::PatchEmbedder;
use andon_vision::model::engine::{EngineChoice, EngineOptions, GpuOptions, find_ort_library};

/// `andon doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The configuration whose needs to check too: models, pipelines, ports, devices. Without it, the defaults and the environment.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the NVIDIA card instead: every kernel beside its reference on the CPU, over random shapes; then how long searches and
    /// whole frames take, beside PyTorch where python3 has it.
    #[arg(long)]
    gpu: bool,
    /// With --gpu: only the comparisons, no times.
    #[arg(long, requires = "gpu")]
    quick: bool,
    /// The findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    about: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Works with less.
    Missing,
    /// Does not work.
    Broken,
}

impl Doctor {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "error", false)?;
        if self.gpu {
            let loaded = config::load(self.config.as_deref(), config::environment(), &[]).map_err(Failure::config)?;
            return gpu_check::run(&loaded.config.engine.gpu, self.quick, self.json);
        }
        let (Checked { loaded, models }, refused) = self.load()?;
        let c = &loaded.config;
        let mut findings = vec![finding("version", State::Ok, env!("CARGO_PKG_VERSION").to_owned())];
        if let Some(file) = &self.config {
            let file = file.display();
            findings.push(match &refused {
                None => finding("configuration", State::Ok, file.to_string()),
                Some(why) if self.json => finding("configuration", State::Broken, why.to_string()),
                Some(_) => finding("configuration", State::Broken, format!("{file} is refused, see below")),
            });
        }
        findings.extend(machine::look(c));
        findings.extend(gstreamer());
        let ort = find_ort_library(c.engine.ort_library.as_deref());
        findings.push(match &ort {
            Ok(path) => finding("onnx runtime", State::Ok, path.display().to_string()),
            Err(e) => {
                finding("onnx runtime", State::Missing, format!("{e}; until then rten runs, 2 to 5 times slower"))
            }
        });
        let choice = match c.engine.choice {
            EngineChoice::TensorRt => EngineChoice::Auto,
            other => other,
        };
        let options = EngineOptions { choice, ..c.engine.clone() };
        findings.push(match PatchEmbedder::open(&Backbone::embedded(), &options) {
            Ok((embedder, None)) => finding("engine", State::Ok, embedder.engine_name().to_owned()),
            Ok((embedder, Some(why))) => {
                finding("engine", State::Missing, format!("{} ({why})", embedder.engine_name()))
            }
            Err(e) => finding("engine", State::Broken, e.to_string()),
        });
        findings.extend(card(&c.engine.gpu));
        findings.extend(clocks());
        findings.push(real_time());
        findings.extend(gpio());
        findings.push(zenoh(&c.sinks.zenoh));
        findings.extend(needs::look(c, &models));
        if self.json {
            output::json(&findings)?;
        } else {
            for f in &findings {
                let mark = match f.state {
                    State::Ok => "ok",
                    State::Missing => "missing",
                    State::Broken => "BROKEN",
                };
                output::line(&format!("{mark:<8} {:<13} {}", f.what, f.about))?;
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let broken = findings.iter().any(|f| f.state == State::Broken);
        Ok(if broken { Exit::Failed } else { Exit::Ok })
    }
}

impl Doctor {
    /// The configuration with its models. A refused one is looked at as far as it can be read, and the refusal is told at the end.
    fn load(&self) -> Result<(Checked, Option<Failure>), Failure> {
        let simple = |file| {
            let loaded = config::load(file, config::environment(), &[]).map_err(Failure::config)?;
            Ok(Checked { loaded, models: Vec::new() })
        };
        let Some(file) = &self.config else { return Ok((simple(None)?, None)) };
        match precheck::load(Some(file), &[], false) {
            Ok(checked) => Ok((checked, None)),
            Err(refused) => {
                let checked = simple(Some(file)).or_else(|_: Failure| simple(None))?;
                Ok((checked, Some(Failure::config(refused))))
            }
        }
    }
}

fn finding(what: &'static str, state: State, about: String) -> Finding {
    Finding { what, state, about }
}

/// The NVIDIA card, and every TensorRT that there is for it.
#[cfg(feature = "cuda")]
fn card(options: &GpuOptions) -> Vec<Finding> {
    use andon_gpu::{CudaError, Device};
    let card = match Device::open(0) {
        Ok(device) => {
            let (major, minor) = device.capability();
            let about =
                format!("{} (compute capability {major}.{minor}), driver of {}", device.name(), device.driver());
            finding("card", State::Ok, about)
        }
        Err(e @ CudaError::NoDriver) => finding("card", State::Missing, e.to_string()),
        Err(e) => finding("card", State::Broken, e.to_string()),
    };
    let mut found = vec![card];
    found.extend(tensorrt(options));
    found
}

#[cfg(not(feature = "cuda"))]
fn card(_: &GpuOptions) -> Vec<Finding> {
    Vec::new()
}

#[cfg(feature = "tensorrt")]
fn tensorrt(options: &GpuOptions) -> Vec<Finding> {
    use andon_gpu::tensorrt::{LibraryCandidate, LibrarySearch, TensorRt};
    let found = TensorRt::candidates(&LibrarySearch { folder: options.tensorrt.clone() });
    let usable = found.iter().position(|f| f.version.is_ok());
    let words =
        |found: &[LibraryCandidate]| found.iter().map(LibraryCandidate::to_string).collect::<Vec<_>>().join("; ");
    match usable {
        Some(first) => {
            let state = if found[first].no_builder.is_none() { State::Ok } else { State::Missing };
            vec![finding("tensorrt", state, found[first].to_string())]
        }
        None => vec![finding("tensorrt", State::Missing, words(&found))],
    }
}

#[cfg(all(feature = "cuda", not(feature = "tensorrt")))]
fn tensorrt(_: &GpuOptions) -> Vec<Finding> {
    vec![finding("tensorrt", State::Missing, "not in this build: needs --features tensorrt".to_owned())]
}

/// How hot processor and card are, and whether they are held back; nothing where the machine does not say.
fn clocks() -> Option<Finding> {
    let states = andon_io::ThermalMonitor::open().read();
    let slowed = states.iter().any(|s| s.slowed.is_some());
    let about: Vec<String> = states.iter().map(ToString::to_string).collect();
    let state = if slowed { State::Missing } else { State::Ok };
    (!about.is_empty()).then(|| finding("clocks", state, about.join("; ")))
}

/// Whether the thread that switches ejectors may have its priority.
fn real_time() -> Finding {
    let tried = std::thread::scope(|scope| scope.spawn(|| andon_core::real_time(40)).join());
    match tried {
        Ok(Ok(())) => finding("real time", State::Ok, "ejectors are timed with real-time priority".to_owned()),
        _ => {
            let how =
                "not permitted, so edges come later under load: LimitRTPRIO=50 in the unit, or setcap cap_sys_nice+ep";
            finding("real time", State::Missing, how.to_owned())
        }
    }
}

fn gpio() -> Option<Finding> {
    let chips = gpio_chips()?;
    if chips.is_empty() {
        let about = "no chip that this user may open; Modbus modules do without";
        return Some(finding("gpio", State::Missing, about.to_owned()));
    }
    Some(finding("gpio", State::Ok, chips.join(", ")))
}

fn gstreamer() -> Vec<Finding> {
    let missing = match missing_elements() {
        Err(e) => return vec![finding("gstreamer", State::Broken, e.to_string())],
        Ok(missing) => missing,
    };
    let mut findings = vec![finding("gstreamer", State::Ok, gstreamer_version())];
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    for package in packages {
        let names: Vec<&str> = missing.iter().filter(|(_, p)| *p == package).map(|(name, _)| *name).collect();
        if package.starts_with("nvidia") && !machine::is_jetson() {
            continue;
        }
        let how = format!("{}: apt-get install {package}", names.join(", "));
        findings.push(finding("elements", State::Missing, how));
    }
    findings
}

fn zenoh(options: &ZenohConfig) -> Finding {
    if !SINKS.iter().any(|sink| sink.table == "zenoh" && sink.is_built) {
        return finding("zenoh", State::Missing, "not in this build: needs --features zenoh".to_owned());
    }
    if !options.enabled {
        return finding("zenoh", State::Ok, "switched off (zenoh.enabled)".to_owned());
    }
    let mut unreachable = Vec::new();
    for endpoint in &options.connect {
        // tcp/HOST:PORT and tls/HOST:PORT can be tried plainly.
        let address = endpoint.split_once('/').map(|(_, rest)| rest.split(['?', '#']).next().unwrap_or(rest));
        if let Some(address) = address.filter(|_| endpoint.starts_with("tcp/") || endpoint.starts_with("tls/")) {
            use std::net::ToSocketAddrs;
            let reached =
                address.to_socket_addrs().ok().and_then(|mut a| a.next()).is_some_and(|a| {
                    std::net::TcpStream::connect_timeout(&a, std::time::Duration::from_secs(2)).is_ok()
                });
            if !reached {
                unreachable.push(endpoint.as_str());
            }
        }
    }
    if !unreachable.is_empty() {
        let about =
            format!("cannot reach {}; is the router running? (andon starts without it)", unreachable.join(", "));
        return finding("zenoh", State::Missing, about);
    }
    match probe(options) {
        Ok(()) => finding("zenoh", State::Ok, format!("{}, listens on {:?}", options.mode.as_str(), options.listen)),
        Err(why) => finding("zenoh", State::Missing, format!("{why}; andon may be running, or change zenoh.listen")),
    }
}
