//! `andon plc-check`: the Modbus map, and a walk through every input and output.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::{limits, output, setup};
use crate::assemble::fieldio;
use crate::config::{self, Config};
use andon_core::Mono;
use andon_core::{Input, Output};
use andon_io::fieldio::{Devices, IoPoint, open_input};
use andon_io::sinks::modbus_server::plc_export;

/// `andon plc-check`.
#[derive(Debug, Args)]
pub(super) struct PlcCheck {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the Modbus map of the configured cameras.
    Map {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
        config: PathBuf,
        /// As a tag list.
        #[arg(long, conflicts_with = "structured_text")]
        csv: bool,
        /// A function block in Structured Text.
        #[arg(long)]
        structured_text: bool,
    },
    /// Walk through every wire: pulse each output after a question, wait for an edge of each input, watch the encoder. Stop
    /// the service first.
    Walk {
        /// The configuration.
        #[arg(short, long, value_name = "FILE", default_value = "andon.toml")]
        config: PathBuf,
        /// Say what would be done, and touch nothing.
        #[arg(long)]
        dry_run: bool,
        /// Pulse without asking. Valves move!
        #[arg(long, conflicts_with = "dry_run")]
        yes: bool,
        /// How long each output is on.
        #[arg(long, value_parser = limits::time_up_to(Duration::from_secs(10)), default_value = "200ms")]
        pulse: Duration,
        /// How long to wait for each input, and to watch the encoder.
        #[arg(long, value_parser = limits::time_up_to(Duration::from_secs(600)), default_value = "10s")]
        wait: Duration,
    },
}

impl PlcCheck {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let load = |path: &PathBuf| config::load(Some(path), config::environment(), &[]).map_err(Failure::config);
        match self.action {
            Action::Map { config, csv, structured_text } => {
                let cameras: Vec<String> = load(&config)?.config.cameras.iter().map(|c| c.name.clone()).collect();
                let text = match (csv, structured_text) {
                    (true, _) => plc_export::csv(&cameras),
                    (_, true) => plc_export::structured_text(),
                    _ => plc_export::markdown(&cameras),
                };
                output::line(text.trim_end())?;
                Ok(Exit::Ok)
            }
            Action::Walk { config, dry_run, yes, pulse, wait } => {
                let c = load(&config)?.config;
                if !dry_run && !yes && !std::io::stdin().is_terminal() {
                    let why = "walk asks before it moves anything, and there is no terminal to ask; --yes or --dry-run";
                    return Err(Failure::new(Exit::Usage, anyhow::anyhow!(why)));
                }
                Walk { stop: setup::stop_flag()?, dry_run, yes, pulse, wait, failed: 0 }.run(&c)
            }
        }
    }
}

struct Walk {
    stop: std::sync::Arc<AtomicBool>,
    dry_run: bool,
    yes: bool,
    pulse: Duration,
    wait: Duration,
    failed: u32,
}

impl Walk {
    fn run(mut self, c: &Config) -> Result<Exit, Failure> {
        let parts = &c.parts;
        let outputs = parts.ejectors.iter().map(|e| (format!("ejector {}", e.name), &e.output));
        let others = [("line stop", &parts.line_stop), ("heartbeat", &parts.heartbeat)];
        let others = others.into_iter().filter_map(|(n, w)| Some((n.to_owned(), w.as_ref()?)));
        let outputs: Vec<(String, &IoPoint)> = outputs.chain(others).collect();
        let confirms =
            parts.ejectors.iter().filter_map(|e| Some((format!("sensor behind {}", e.name), e.confirm.as_ref()?)));
        let inputs: Vec<(String, &IoPoint)> =
            parts.sensor.iter().map(|w| ("trigger".to_owned(), w)).chain(confirms).collect();
        if outputs.is_empty() && inputs.is_empty() && parts.encoder.is_none() {
            output::line("no outputs, inputs or encoder in this configuration; see [outputs] in config/andon.toml")?;
        }
        for (role, point) in outputs {
            output::line(&format!("{role}: output {}", place(point)))?;
            if self.goes_on(&format!("switch it on for {} ms?", self.pulse.as_millis()))? {
                let done = self.output(point);
                self.tell(done)?;
            }
        }
        for (role, point) in inputs {
            output::line(&format!("{role}: input {}", place(point)))?;
            if !self.dry_run && !self.stopped() {
                output::line(&format!("  waiting {} s for a rising edge ...", self.wait.as_secs()))?;
                let done = self.input(point);
                self.tell(done)?;
            }
        }
        if let Some(encoder) = &parts.encoder {
            output::line(&format!("encoder: {}", place(&encoder.point)))?;
            if !self.dry_run && !self.stopped() {
                output::line(&format!("  watching it for {} s; move the belt ...", self.wait.as_secs()))?;
                let done = self.encoder(c);
                self.tell(done)?;
            }
        }
        let server = &c.sinks.modbus_server;
        if server.enabled {
            let (address, access) = (&server.listen, server.access());
            output::line(&format!("Modbus server: {address}, {access}; `andon plc-check map` prints its registers"))?;
        }
        Ok(if self.failed == 0 { Exit::Ok } else { Exit::Failed })
    }

    fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// Whether the next step may be done.
    fn goes_on(&self, question: &str) -> std::io::Result<bool> {
        if self.dry_run {
            output::line(&format!("  dry run; would ask: {question}"))?;
            return Ok(false);
        }
        if self.yes || self.stopped() {
            return Ok(self.yes && !self.stopped());
        }
        write!(std::io::stderr().lock(), "  {question} [y/N] ")?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn tell(&mut self, done: Result<String, String>) -> std::io::Result<()> {
        match done {
            Ok(text) => output::line(&format!("  ok: {text}")),
            Err(why) => {
                self.failed += 1;
                output::line(&format!("  FAILED: {why}"))
            }
        }
    }

    fn output(&self, point: &IoPoint) -> Result<String, String> {
        let mut devices = Devices::default();
        let mut output: Box<dyn Output> = devices.output(point).map_err(|e| e.to_string())?;
        devices.wait();
        if let Some(why) = output.fault() {
            return Err(why);
        }
        let start = Mono::now();
        output.set(true);
        while Mono::now().since(start) < self.pulse && !self.stopped() {
            std::thread::sleep(Duration::from_millis(5));
        }
        output.set(false);
        std::thread::sleep(Duration::from_millis(50));
        let fault = output.fault();
        output.make_safe();
        fault.map_or(Ok(format!("on for {} ms, then off", Mono::now().since(start).as_millis() - 50)), Err)
    }

    fn input(&self, point: &IoPoint) -> Result<String, String> {
        let mut input: Box<dyn Input> = open_input(point).map_err(|e| e.to_string())?;
        let start = Mono::now();
        while Mono::now().since(start) < self.wait && !self.stopped() {
            let edge = input.next(Mono::now() + Duration::from_millis(50)).map_err(|e| e.to_string())?;
            if edge.is_some() {
                return Ok(format!("an edge after {:.1} s", Mono::now().since(start).as_secs_f64()));
            }
        }
        Err("no edge came".to_owned())
    }

    fn encoder(&self, c: &Config) -> Result<String, String> {
        let belt = fieldio::belt(&c.parts).map_err(|e| e.to_string())?;
        let source = belt.source();
        let Some((mut encoder, track)) = belt.reader() else { return Err("no encoder".to_owned()) };
        let start = Mono::now();
        let mut fastest = 0.0f64;
        while Mono::now().since(start) < self.wait && !self.stopped() {
            encoder.read(&track, Mono::now() + Duration::from_millis(100)).map_err(|e| e.to_string())?;
            let rate = source.at(Mono::now()).rate;
            fastest = if rate.abs() > fastest.abs() { rate } else { fastest };
        }
        let counts = source.at(Mono::now()).ticks.0;
        if counts == 0 {
            return Err("its count did not change".to_owned());
        }
        let scale = c.parts.ticks_per_mm.unwrap_or(1.0);
        Ok(format!("{counts} counts = {:.1} mm; fastest {:.3} m/s", counts as f64 / scale, fastest / scale / 1000.0))
    }
}

/// The name of a point, and where it is.
fn place(point: &IoPoint) -> String {
    let level = if point.active_low { ", active low" } else { "" };
    format!("{}: {}{level}", point.name, point.address.get().describe())
}
