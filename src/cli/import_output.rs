//! What `andon import --inspect` says of a network.

use std::path::Path;

use serde_json::json;

use super::exit::{Exit, Failure};
use super::{first_run, limits, output};
use andon_vision::import::Understood;
use andon_vision::model::graph::OnnxGraph;

/// What `--inspect` says; a network that is not understood is described all the same.
pub(super) fn inspected(
    network: &Path,
    as_json: bool,
    graph: &OnnxGraph,
    understood: Result<Understood, String>,
) -> Result<Exit, Failure> {
    let (opset, by) = graph.written_by();
    let (takes, gives) = (graph.takes(), graph.gives());
    let operators = graph.operators();
    let (found_out, engine, failed) = match &understood {
        Ok(u) => (u.found_out.clone(), Some((u.engine, u.milliseconds)), None),
        Err(e) => (Vec::new(), None, Some(e.clone())),
    };
    let other = engine.map(|(name, _)| first_run::other(name, graph.weight_bytes()));
    let role = |i: usize| understood.as_ref().ok().map(|u| u.outputs[i].role.words());
    if as_json {
        output::json(&json!({
            "network": network, "opset": opset, "written_by": by, "weight_bytes": graph.weight_bytes(),
            "inputs": takes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "outputs": gives.iter().enumerate().map(|(i, port)| json!({"name": port.name, "port": port.to_string(), "is": role(i)})).collect::<Vec<_>>(),
            "operators": operators, "found_out": found_out, "engine": engine.map(|(name, _)| name), "milliseconds": engine.map(|(_, ms)| ms),
            "other_engine": other.as_ref().map(|(name, why)| json!({"name": name, "refuses": why})), "error": failed,
        }))?;
    } else {
        output::line(&format!(
            "{}: opset {opset}, written by {by}, {} of weights",
            network.display(),
            limits::size(graph.weight_bytes())
        ))?;
        for port in &takes {
            output::line(&format!("  takes         {port}"))?;
        }
        for (i, port) in gives.iter().enumerate() {
            let is = role(i).map(|words| format!(": {words}")).unwrap_or_default();
            output::line(&format!("  gives         {port}{is}"))?;
        }
        let all = operators.iter().map(|(op, n)| format!("{n} {op}")).collect::<Vec<_>>().join(", ");
        output::line(&format!("  operators     {all}"))?;
        for line in &found_out {
            output::line(&format!("  found out     {line}"))?;
        }
        if let Some((engine, milliseconds)) = engine {
            output::line(&format!("  runs on       {engine}: {milliseconds:.1} ms a picture"))?;
        }
        match other {
            Some((name, None)) => output::line(&format!("                {name}, too"))?,
            Some((name, Some(why))) => output::line(&format!("                not on {name}: {why}"))?,
            None => {}
        }
    }
    understood.map(|_| Exit::Ok).map_err(|e| Failure::from(anyhow::Error::msg(e)))
}
