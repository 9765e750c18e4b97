//! `andon import`: a network that was trained elsewhere becomes a model.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::fit::FitCommand;
use super::progress::Progress;
use super::setup::{self, EngineArgs};
use super::{first_run, fit_args, fit_groups, fit_methods, fit_output, import_output, output};
use crate::assemble::fit_defaults;
use andon_vision::fit::{FitOptions, Take, list_images, read_in_range, survey};
use andon_vision::import::{Asked, Features, Job, Normalise, features, import, npy, try_once, understand};
use andon_vision::methods::{self, imported};
use andon_vision::model::graph::{Distance, OnnxGraph, check, read_network};
use andon_vision::model::head::score::{ImageScore, Scoring};

/// `andon import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The network: an ONNX file that gives an anomaly map, a score, or both.
    network: PathBuf,
    /// A second network that takes what the first one gives, where the export has two files; may be given more than once.
    #[arg(long, value_name = "FILE")]
    then: Vec<PathBuf>,
    /// Pictures of good parts, of which the network has not seen any: they give the threshold and what it promises.
    #[arg(long, value_name = "DIR", required_unless_present = "inspect")]
    good: Option<PathBuf>,
    /// The model file to write.
    #[arg(short, long, value_name = "FILE", required_unless_present = "inspect")]
    output: Option<PathBuf>,
    /// Only say what the network takes and gives, what was found out and why.
    #[arg(long)]
    inspect: bool,
    /// Name of the part; without it, the output file's name.
    #[arg(long)]
    name: Option<String>,
    /// The output that is the anomaly map, where several could be.
    #[arg(long, value_name = "NAME")]
    map: Option<String>,
    /// The output that is the score, where several could be; `max` takes the largest value of the map in its place.
    #[arg(long, value_name = "NAME")]
    score: Option<String>,
    /// The output that is a reconstruction of the picture: the map is how it differs from the picture.
    #[arg(long, value_name = "NAME")]
    reconstruction: Option<String>,
    /// In which numbers the reconstruction is, as --normalise, where they are others than the network is given: `unit` after a sigmoid, `0.5/0.5` after a hyperbolic tangent.
    #[arg(long, value_name = "HOW", value_parser = fit_args::normalise)]
    reconstructs: Option<Normalise>,
    /// Two outputs of one shape whose difference is the map: features of two networks, or features and their reconstruction.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    pair: Vec<String>,
    /// How a reconstruction differs: `squared` (without the flag), `ssim` (1 - structural similarity), `gradients` (1 - similarity of gradients at several sizes) or `cosine`;
    /// a pair: `cosine` (without the flag) or `squared`.
    #[arg(long, value_name = "MEASURE", value_parser = distance)]
    distance: Option<Distance>,
    /// Outputs that are latents of a flow: the map is how unlikely they are.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    latents: Vec<String>,
    /// The log-determinants of the latents, in their order, where the flow gives them: one number, or one for each place.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    log_det: Vec<String>,
    /// A constant input beside the picture, such as the embeddings of a text, from a file of numpy.save; may be given more than once.
    #[arg(long = "input", value_name = "NAME=FILE.npy", value_parser = constant)]
    inputs: Vec<(String, PathBuf)>,
    /// Learn by this method of `andon fit` (patchcore, padim, subspace, …) from what the network gives: for networks that give features and no map.
    #[arg(long, value_name = "METHOD", value_parser = fit_methods::method())]
    method: Option<String>,
    /// The outputs that are features, finest first; without it, all that are (--method).
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "method")]
    layers: Vec<String>,
    /// A parameter of the method, as `andon fit --param`; may be given more than once.
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = fit_methods::param, requires = "method")]
    params: Vec<(String, serde_json::Value)>,
    /// How pictures are normalised before the network: `imagenet` ((x/255 - mean) / deviation), `clip` (the same with its numbers), `unit` (x/255), `centred` ((x - 127) / 128), `bytes` (x) or
    /// `caffe` (x less 104, 117, 123 of blue, green, red), or MEAN/DEVIATION of values in 0..1, such as 0.5/0.5. Needed where the file does not show it.
    #[arg(long, value_name = "HOW", value_parser = fit_args::normalise)]
    normalise: Option<Normalise>,
    /// The order of colours that the network wants.
    #[arg(long, value_enum, default_value = "rgb")]
    colour: ColourOrder,
    /// Whether colours come before rows and columns or behind them, where the file leaves all sides open.
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// Size at which pictures are given, where the network takes every one: one number or WIDTHxHEIGHT.
    #[arg(long, value_name = "SIZE")]
    size: Option<fit_args::Size>,
    /// High means good: turn map and score round.
    #[arg(long)]
    invert: bool,
    /// Share of good parts that may be rejected; without it, the threshold is just above the highest score of the good pictures that do not stand out.
    #[arg(long, value_name = "SHARE", value_parser = fit_args::share)]
    max_false_reject: Option<f64>,
    /// How sure the promise must be.
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = fit_args::share)]
    confidence: f64,
    /// Which pictures belong together and count once: as `fit --groups`, without folders.
    #[arg(long, value_name = "HOW", default_value = "auto")]
    groups: String,
    /// Which pictures to take when there are several kinds: WIDTHxHEIGHT, 8-bit, 16-bit, grey or colour; may be given more than once.
    #[arg(long, value_name = "KIND")]
    take: Vec<Take>,
    /// Range of 16-bit values, as `fit --range`.
    #[arg(long, value_name = "RANGE", value_parser = fit_args::range)]
    range: Option<[u16; 2]>,
    /// Leave out pictures that cannot be read instead of refusing all.
    #[arg(long)]
    skip_bad: bool,
    /// Time stamp to write instead of now (RFC 3339), to make the same file again.
    #[arg(long, value_name = "TIME")]
    created: Option<String>,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
    /// Only tries the network: what the command starts for itself.
    #[arg(long, hide = true, value_name = "ENGINE", env = first_run::VARIABLE)]
    first_run: Option<first_run::On>,
    #[command(flatten)]
    place: fit_args::PlaceArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Where colours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Layout {
    /// [pictures, colours, rows, columns].
    Nchw,
    /// [pictures, rows, columns, colours].
    Nhwc,
}

/// The order of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ColourOrder {
    Rgb,
    Bgr,
}

fn constant(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or_else(|| "write it as NAME=FILE.npy".to_owned())?;
    Ok((name.to_owned(), PathBuf::from(file)))
}

fn distance(text: &str) -> Result<Distance, String> {
    let found = Distance::ALL.into_iter().find(|distance| distance.as_str() == text);
    found.ok_or_else(|| format!("one of {}", Distance::ALL.map(Distance::as_str).join(", ")))
}

/// Puts the numbers of a file in for an input of one of the networks that run one after the other.
fn fill(graphs: &mut [OnnxGraph], name: &str, file: &Path) -> anyhow::Result<()> {
    let array =
        npy::open(file).map_err(|why| anyhow::anyhow!("--input {name}: cannot read {}: {why}", file.display()))?;
    let takes = graphs.iter().position(|graph| graph.takes().iter().any(|port| port.name == name));
    let Some(graph) = graphs.get_mut(takes.unwrap_or(0)) else { return Ok(()) };
    Ok(graph.fill_input(name, &array.shape, &array.numbers)?)
}

impl Import {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        if let Some(method) = &self.method {
            return self.learn(method, log);
        }
        let _log = setup::logging(log, "warn", false)?;
        if let Some(output) = &self.output {
            output::writable(output)?;
        }
        let (graph, onnx) = self.read()?;
        let asked = self.asked();
        let mut engine = self.engine.options();
        let weights = onnx.len() as u64;
        if let Some(on) = self.first_run {
            first_run::bound(weights)?;
            on.choose(&mut engine);
            return first_run::said(try_once(&graph, &asked, &engine).err());
        }
        if let Some(why) = first_run::tried(weights, first_run::On::Own)? {
            return match self.inspect {
                true => import_output::inspected(&self.network, self.json, &graph, Err(why)),
                false => Err(anyhow::Error::msg(why).into()),
            };
        }
        let understood = understand(&graph, &asked, &engine);
        let (Some(good), Some(output), false) = (&self.good, &self.output, self.inspect) else {
            return import_output::inspected(&self.network, self.json, &graph, understood.map_err(|e| e.to_string()));
        };
        let understood = understood?;
        let listing = list_images(good)?;
        if let Some(note) = listing.note(good) {
            output::note(&note);
        }
        let surveyed = survey(&listing.pictures, &self.take, false, self.range, &mut |_| {})?;
        let files = &surveyed.pictures;
        let mask = self.place.mask(files, false)?;
        let stem = output.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let options = FitOptions {
            name: self.name.clone().unwrap_or(stem),
            method: imported::ID.to_owned(),
            params: serde_json::Value::Null,
            // The network's own map is not smoothed once more.
            scoring: Scoring { smoothing: 0.0, image: ImageScore::Max, min_area: fit_defaults::SCORING.min_area },
            rule: super::fit::rule(self.max_false_reject, self.confidence),
            grouping: fit_groups::grouping(&self.groups, good, files)?,
            threads: engine.threads,
            created: self.created.clone(),
            ..fit_defaults::options("", "", surveyed.learned)
        };
        let bar = Progress::new();
        bar.set_message("good pictures");
        let start = Instant::now();
        let read = |number: usize| {
            let path = &files[number];
            read_in_range(path, surveyed.range).map(|picture| (fit_groups::name(good, path), picture))
        };
        let made = import(Job {
            graph: &graph,
            file: self.network.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            digest: blake3::hash(&onnx).to_hex().to_string(),
            understood,
            invert: self.invert,
            count: files.len(),
            read: &read,
            skip_bad: self.skip_bad,
            options: &options,
            range: surveyed.range,
            mask: mask.as_ref(),
            engine: &engine,
            progress: &mut |done, total| {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            },
        });
        bar.finish_and_clear();
        let (mut fitted, found_out) = made?;
        fitted.left_out.extend(surveyed.left_out.iter().cloned());
        for line in &fitted.left_out {
            output::note(&format!("left out: {line}"));
        }
        fitted.bundle.write(output)?;
        let facts = methods::of(&fitted.bundle).and_then(|m| m.facts(&fitted.bundle)).map_err(anyhow::Error::msg)?;
        let seconds = start.elapsed().as_secs_f64();
        if self.json {
            let mut told = fit_output::as_json(output, &fitted, &facts, seconds, None, None);
            told["found_out"] = json!(found_out);
            output::json(&told)?;
            return Ok(Exit::Ok);
        }
        fit_output::print(output, &fitted, &facts, seconds)?;
        for line in found_out {
            output::line(&format!("  found out     {line}"))?;
        }
        output::line(
            "                pictures that it was trained on make the threshold too low: were these among them?",
        )?;
        Ok(Exit::Ok)
    }

    fn asked(&self) -> Asked {
        Asked {
            map: self.map.clone(),
            score: self.score.clone(),
            reconstruction: self.reconstruction.clone(),
            reconstructs: self.reconstructs,
            pair: self.pair.clone(),
            distance: self.distance,
            latents: self.latents.clone(),
            log_det: self.log_det.clone(),
            normalise: self.normalise,
            bgr: self.colour == ColourOrder::Bgr,
            colours_last: self.layout.map(|layout| layout == Layout::Nhwc),
            size: self.size.map(fit_args::Size::sides),
            invert: self.invert,
        }
    }

    /// A network of features is handed over to `andon fit`, which has the methods.
    fn learn(&self, method: &str, log: Option<&str>) -> Result<Exit, Failure> {
        let usage = |why: &str| Failure::new(Exit::Usage, anyhow::anyhow!("{why}"));
        if !self.then.is_empty() || !self.inputs.is_empty() || self.colour == ColourOrder::Bgr || self.layout.is_some()
        {
            return Err(usage(
                "--method takes one network of features: leave --then, --input, --colour and --layout out",
            ));
        }
        let onnx = read_network(&self.network)?;
        let graph = OnnxGraph::read(&onnx)?;
        let looked = || features(&graph, &self.asked(), &self.layers, &self.engine.options());
        if self.first_run.is_some() {
            first_run::bound(onnx.len() as u64)?;
            return first_run::said(try_once(&graph, &self.asked(), &self.engine.options()).err());
        }
        if let Some(why) = first_run::tried(onnx.len() as u64, first_run::On::Own)? {
            return Err(anyhow::Error::msg(why).into());
        }
        let Features { takes, normalise, layers, found_out } = looked()?;
        let (Some(good), Some(output), false) = (&self.good, &self.output, self.inspect) else {
            let [columns, rows] = takes.size;
            output::line(&format!("  {columns}x{rows} pixels, normalised as {normalise}: {}", layers.join(", ")))?;
            for line in &found_out {
                output::line(&format!("  found out     {line}"))?;
            }
            return Ok(Exit::Ok);
        };
        for line in &found_out {
            output::note(line);
        }
        let size = takes.size.map(|side| side.to_string()).join("x");
        let words: [&dyn AsRef<std::ffi::OsStr>; 14] = [
            good,
            &"--output",
            output,
            &"--method",
            &method,
            &"--backbone",
            &self.network,
            &"--layers",
            &layers.join(","),
            &"--normalise",
            &normalise.to_string(),
            &"--size",
            &size,
            &"--skip-bad",
        ];
        let words = words[..words.len() - usize::from(!self.skip_bad)].iter();
        let mut fit = FitCommand::of(words.map(|word| word.as_ref().to_owned()).collect())?;
        fit.how.is_tried = true;
        fit.name.clone_from(&self.name);
        fit.params.clone_from(&self.params);
        fit.max_false_reject = self.max_false_reject;
        fit.confidence = self.confidence;
        fit.groups.clone_from(&self.groups);
        fit.take.clone_from(&self.take);
        fit.range = self.range;
        fit.created.clone_from(&self.created);
        fit.json = self.json;
        fit.how.place.clone_from(&self.place);
        fit.engine.clone_from(&self.engine);
        fit.run(log)
    }

    /// The network, checked, with its constant inputs, and its file's bytes; several that run one after the other as one.
    fn read(&self) -> anyhow::Result<(OnnxGraph, Vec<u8>)> {
        let mut onnx = read_network(&self.network)?;
        let mut graphs = vec![OnnxGraph::read(&onnx)?];
        for file in &self.then {
            graphs.push(OnnxGraph::read(&read_network(file)?)?);
        }
        for (name, file) in &self.inputs {
            fill(&mut graphs, name, file)?;
        }
        let mut graphs = graphs.into_iter();
        let mut graph = graphs.next().context("no network")?;
        for (second, file) in graphs.zip(&self.then) {
            graph = graph.followed_by(&second).with_context(|| format!("--then {}", file.display()))?;
            let together = || format!("{} and {} together", self.network.display(), file.display());
            onnx = check(&graph.write(), None).map_err(|why| anyhow::anyhow!("{}: {why}", together()))?;
            graph = OnnxGraph::read(&onnx)?;
        }
        Ok((graph, onnx))
    }
}
