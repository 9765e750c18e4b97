//! `andon fit --auto`: what is compared, how far it is, and the table that says why.

use std::time::Duration;

use serde_json::{Value, json};

use super::exit::Failure;
use super::fit::FitCommand;
use super::{limits, output};
use crate::assemble::auto::{self, Asked};
use andon_vision::eval::Sample;
use andon_vision::fit::{Mask, Survey};
use andon_vision::search::{Candidate, Fixed, Found};

/// What a picture may take where nothing else is said.
const BUDGET: Duration = Duration::from_millis(30);

/// Compares ways to learn, and prints the table unless JSON is asked for.
pub(super) fn find(
    command: &FitCommand,
    surveyed: &Survey,
    known: &[Sample],
    mask: Option<&Mask>,
) -> Result<Found, Failure> {
    // A network that is given is compared with the compiled-in one.
    let networks = command.how.networks()?;
    let how = if networks.is_empty() { command.how.clone() } else { command.how.without_network() };
    let options = command.engine.options();
    let budget = command.time_budget.unwrap_or(BUDGET);
    let bar = super::progress::Progress::new();
    let mut progress = |done: usize, planned: usize, what: &str, share: f64| {
        let what = if what.is_empty() { "the usual way" } else { what };
        bar.set_message(format!("{} of about {planned}: {what}", done + 1));
        bar.set_length(planned as u64 * 1000);
        bar.set_position(((done as f64 + share) * 1000.0) as u64);
    };
    let fixed = Fixed { method: command.method.is_some(), bank: command.bank.is_some(), ..how.fixed() };
    let asked = Asked {
        surveyed,
        known,
        base: command.recipe(surveyed, &how)?,
        networks,
        fixed,
        mask,
        engine: &options,
        budget,
        memory: limits::free_memory().map_or(u64::MAX, |free| free / 5 * 4),
    };
    let found = auto::find(asked, &mut progress)?;
    bar.finish_and_clear();
    if !command.json {
        for line in table(&found, budget) {
            output::note(&line);
        }
    }
    Ok(found)
}

/// What was compared, what is taken and why, what a larger budget would buy, and what it does not say.
fn table(found: &Found, budget: Duration) -> Vec<String> {
    let budget = budget.as_secs_f64() * 1e3;
    let [good, synthetic, known] = found.compared;
    let mut lines = vec![match known {
        0 => format!("compared on {good} held-out good pictures and {synthetic} defects put into them:"),
        n => format!(
            "compared on {good} held-out good pictures, {synthetic} defects put into them, and {n} known ones, which weigh twice as much:"
        ),
    }];
    let heads = if known > 0 { "  AUROC: all  put in   known" } else { "  AUROC put in" };
    lines.push(format!("     ms a picture{heads}   against the one taken"));
    for (i, c) in found.candidates.iter().enumerate() {
        lines.push(row(c, i == found.chosen, known > 0));
    }
    let taken = &found.candidates[found.chosen];
    let why = match found.chosen {
        0 => "nothing else is better by twice what the comparison may err",
        _ => "better than the usual way by more than twice what the comparison may err",
    };
    lines.push(format!("taken: {} ({why}, within {budget:.0} ms)", name(taken)));
    if !taken.flags.is_empty() {
        lines.push(format!("  the same without a search: andon fit … {}", taken.flags));
    }
    if let Some(dear) = found.beyond.map(|i| &found.candidates[i]) {
        lines.push(format!(
            "  more time would buy: {} at {:.1} ms, AUROC {:.4} instead of {:.4} (--time-budget)",
            name(dear),
            dear.ms,
            dear.merit,
            taken.merit
        ));
    }
    if let Some(apart) = found.lies_one_way {
        lines.push(format!(
            "  not tried, the parts lie one way (turned ones are told from them, AUROC {apart:.2}): quarter turns"
        ));
    }
    for what in &found.too_large {
        lines.push(format!("  not tried, learning it needs more memory than is free: {what}"));
    }
    lines.push(
        "  defects that are put in are no promise about real ones: --bad DIR takes known ones into account".to_owned(),
    );
    lines
}

fn row(c: &Candidate, taken: bool, known: bool) -> String {
    let mark = if taken { '>' } else { ' ' };
    let auroc = match known {
        true => format!("       {:.4}  {:.4}  {:.4}", c.merit, c.synthetic, c.known.unwrap_or(0.5)),
        false => format!("       {:.4}", c.synthetic),
    };
    let behind = match c.against {
        [gain, _] if gain == 0.0 && c.affordable => "             ".to_owned(),
        [gain, error] => format!("{:+.4} ± {error:.4}", gain),
    };
    let beyond = if c.affordable { "" } else { " (over the budget)" };
    format!("  {mark} {:>8.1}     {auroc}   {behind}  {}{beyond}", c.ms, name(c))
}

fn name(c: &Candidate) -> &str {
    if c.what.is_empty() { "the usual way" } else { &c.what }
}

/// The same for programs.
pub(super) fn as_json(found: &Found) -> Value {
    let [good, synthetic, known] = found.compared;
    json!({
        "put": found.put,
        "candidates": found.candidates,
        "chosen": found.chosen,
        "beyond": found.beyond,
        "too_large": found.too_large,
        "lies_one_way": found.lies_one_way,
        "compared": {"good": good, "synthetic": synthetic, "known": known},
    })
}
