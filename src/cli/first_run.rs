//! A network from elsewhere is run for the first time in a process of its own, with bounded memory and time: one that asks for all of the machine, never ends, or
//! brings an engine down is refused in place of doing so here.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use andon_vision::import::{Asked, ImportError, Normalise, try_once};
use andon_vision::model::engine::{EngineChoice, EngineOptions};
use andon_vision::model::graph::{OnnxGraph, read_network};
use anyhow::Context;
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use super::exit::{Exit, Failure};
use super::output;

/// Says to the commands that run one that they are the process that tries it, and on which engine.
pub(super) const VARIABLE: &str = "ANDON_FIRST_RUN";

/// On which engine a first run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum On {
    /// The one that the command is to use.
    Own,
    /// ONNX Runtime.
    Ort,
    /// rten.
    Rten,
}

impl On {
    /// Takes the engine for what is done.
    pub fn choose(self, engine: &mut EngineOptions) {
        match self {
            On::Own => {}
            On::Ort => engine.choice = EngineChoice::Ort,
            On::Rten => engine.choice = EngineChoice::Rten,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            On::Own => "own",
            On::Ort => "ort",
            On::Rten => "rten",
        }
    }
}

/// The engine that did not run a network, and why it does not, if it does not.
pub(super) fn other(engine: &str, weights: u64) -> (&'static str, Option<String>) {
    let on = if engine == "rten" { On::Ort } else { On::Rten };
    (on.as_str(), tried(weights, on).unwrap_or_else(|why| Some(why.to_string())))
}

/// Memory that a first run may take, beside what its weights need.
const MEMORY: u64 = 4 << 30;
/// Copies of the weights that engines make while they load.
const COPIES: u64 = 8;
/// Time that it may take: load, and one picture.
const TIME: Duration = Duration::from_secs(30);
/// Bytes of weights for which another second is given.
const BYTES_A_SECOND: u64 = 10 << 20;

/// Bounds this process, which is the one that runs it.
///
/// # Errors
/// The system does not let it.
pub(super) fn bound(weights: u64) -> anyhow::Result<()> {
    let most = Some(MEMORY + COPIES * weights);
    setrlimit(Resource::Data, Rlimit { current: most, maximum: most }).context("memory cannot be bounded")?;
    // Nobody waits for it once the command is gone, however that ended.
    set_parent_process_death_signal(Some(Signal::KILL)).context("its end cannot be bound to the command's")?;
    // What is refused memory ends; nobody looks into its remains.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("core files cannot be bounded")
}

/// Runs this command, with its arguments, as a process of its own that only tries the network of so many bytes of weights. What an engine said against it, if one did.
///
/// # Errors
/// It took too long, too much memory, or brought the engine down.
pub(super) fn tried(weights: u64, on: On) -> anyhow::Result<Option<String>> {
    let program = std::env::current_exe().context("this program's own file is not found")?;
    let mut child = Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, on.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the network cannot be tried in a process of its own")?;
    let allowed = TIME + Duration::from_secs(weights / BYTES_A_SECOND);
    let Some(status) = waited(&mut child, allowed)? else {
        return Err(anyhow::anyhow!(
            "the network was not done with its first picture after {} s, and a frame must be judged in time; export a smaller one",
            allowed.as_secs()
        ));
    };
    let mut said = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut said).context("what it said cannot be read")?;
    }
    match status.code() {
        Some(0) => Ok(None),
        Some(1) if !said.trim().is_empty() => Ok(Some(said.trim().to_owned())),
        _ => Err(anyhow::anyhow!(
            "the network brought down the engine that ran it ({status}): it asks for more than {} GiB of memory, or for what the engine cannot do; export it otherwise",
            (MEMORY + COPIES * weights) >> 30
        )),
    }
}

/// Tries a network whose features a command takes, with pictures of a size where it leaves that open. In the process that tries it, how that is to
/// end; in the command's own, none.
///
/// # Errors
/// The file is refused, an engine refuses the network, or [`tried`].
pub(super) fn of_features(
    network: &Path,
    normalise: Normalise,
    size: [u32; 2],
    engine: &EngineOptions,
) -> Result<Option<Exit>, Failure> {
    let onnx = read_network(network)?;
    let weights = onnx.len() as u64;
    if std::env::var_os(VARIABLE).is_some() {
        bound(weights)?;
        let graph = OnnxGraph::read(&onnx)?;
        let open = graph.takes().first().is_some_and(|port| port.sides.contains(&None));
        let asked = Asked { normalise: Some(normalise), size: open.then_some(size), ..Asked::default() };
        return said(try_once(&graph, &asked, engine).err()).map(Some);
    }
    match tried(weights, On::Own).with_context(|| network.display().to_string())? {
        Some(why) => Err(anyhow::anyhow!("{}: {why}", network.display()).into()),
        None => Ok(None),
    }
}

/// What the process that tries it leaves behind: engines' words, if they are why it is refused. All else is asked, and refused, by the command itself.
pub(super) fn said(why: Option<ImportError>) -> Result<Exit, Failure> {
    match why {
        Some(ImportError::Engine(why)) => {
            output::line(&why.to_string())?;
            Ok(Exit::Failed)
        }
        _ => Ok(Exit::Ok),
    }
}

/// How a process ended; none if it had to be ended.
fn waited(child: &mut Child, allowed: Duration) -> anyhow::Result<Option<std::process::ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("the first run cannot be waited for")? {
            return Ok(Some(status));
        }
        if start.elapsed() > allowed {
            child.kill().context("the first run cannot be ended")?;
            child.wait().context("the first run cannot be ended")?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
