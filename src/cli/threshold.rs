//! `andon threshold`: shows or changes what a finished model judges by.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::{Exit, Failure};
use super::setup::{self, EngineArgs};
use super::{claim, fit, fit_args, output};
use crate::assemble::operating::{self, Author, Scores};
use andon_vision::fit::{Aim, MistakeCosts, ThresholdRule, claim_at};
use andon_vision::model::bundle::Bundle;

/// `andon threshold`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("aim"))]
pub(super) struct ThresholdCommand {
    /// The model file.
    model: PathBuf,
    /// At most this share of good parts rejected, as 5%, as far as the pictures can promise it.
    #[arg(long, value_name = "SHARE", value_parser = fit_args::share, group = "aim")]
    max_false_reject: Option<f64>,
    /// How sure the promise must be, with --max-false-reject.
    #[arg(long, value_name = "SHARE", default_value = "95%", value_parser = fit_args::share)]
    confidence: f64,
    /// This threshold.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true, group = "aim")]
    set: Option<f32>,
    /// Where mistakes cost the least, as miss=20,reject=1; needs pictures of defects (--from). Each cost is weighed with the share of defects that pass
    /// and of good parts that are rejected, as if there were as many of either: multiply `miss` by the share of parts that are
    /// defective.
    #[arg(long, value_name = "miss=A,reject=B", value_parser = costs, group = "aim")]
    cost: Option<MistakeCosts>,
    /// Just above the highest score of the good pictures that do not stand out, as learning sets it.
    #[arg(long, group = "aim")]
    ordinary: bool,
    /// The one before the last that was chosen: the file is as it was then, if nothing else was changed since.
    #[arg(long, group = "aim", conflicts_with = "from")]
    undo: bool,
    /// Reviewed pictures that were not learned from: a folder of good ones, or a folder with `good` and a folder for each defect. Without an aim: with
    /// defects --cost miss=1,reject=1, without --ordinary.
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Why, to be kept in the model.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    why: String,
    /// Who, to be kept in the model; without it, the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The model file to write; without it, the model itself is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show what would change and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Fewer reviewed good pictures than this say less than the pictures that were learned from (docs/accuracy.md).
const FEW: usize = 30;

/// `miss=20,reject=1`, in any order.
fn costs(text: &str) -> Result<MistakeCosts, String> {
    let wrong = || format!("`{text}` is no cost of both mistakes; write it as miss=20,reject=1");
    let (mut miss, mut reject) = (None, None);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        let value = value.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0).ok_or_else(wrong)?;
        match key.trim() {
            "miss" => miss = Some(value),
            "reject" => reject = Some(value),
            _ => return Err(wrong()),
        }
    }
    miss.zip(reject).map(|(miss, reject)| MistakeCosts { miss, reject }).ok_or_else(wrong)
}

impl ThresholdCommand {
    pub fn run(self, log: Option<&str>) -> Result<Exit, Failure> {
        let _log = setup::logging(log, "warn", false)?;
        let bundle = setup::bundle(&self.model)?;
        if !self.undo && self.aim(false).is_none() && self.from.is_none() {
            self.show(&bundle)?;
            return Ok(Exit::Ok);
        }
        let target = self.output.as_ref().unwrap_or(&self.model);
        if !self.dry_run {
            output::writable(target)?;
        }
        if self.undo {
            let was = bundle.manifest.threshold;
            let mut bundle = Arc::unwrap_or_clone(bundle);
            if !bundle.undo_decision() {
                return Err(Failure::from(anyhow::anyhow!(
                    "{}: the threshold is the one that learning chose, or that this file remembers as its first; there is nothing to take back",
                    self.model.display()
                )));
            }
            return self.finish(bundle, was, &Scores::default());
        }
        let scores = match &self.from {
            Some(folder) => self.scores(&bundle, folder)?,
            None => Scores::default(),
        };
        let aim = self
            .aim(!scores.bad.is_empty())
            .unwrap_or(Aim::Rule(ThresholdRule::Ordinary { confidence: self.confidence }));
        let mut bundle = Arc::unwrap_or_clone(bundle);
        let author = Author {
            by: self.by.clone().unwrap_or_else(user),
            at: format!("{:.0}", jiff::Timestamp::now()),
            how: self.how(aim),
            why: self.why.clone(),
        };
        let was = bundle.manifest.threshold;
        operating::set(&mut bundle, &scores, aim, author)?;
        self.finish(bundle, was, &scores)
    }

    /// Writes the model unless nothing is to be written, and says what changed.
    fn finish(&self, mut bundle: Bundle, was: f32, scores: &Scores) -> Result<Exit, Failure> {
        let target = self.output.as_ref().unwrap_or(&self.model);
        // Also gives it its digest.
        bundle.to_bytes()?;
        if !self.dry_run {
            bundle.write(target)?;
        }
        let m = &bundle.manifest;
        if self.json {
            output::json(&serde_json::json!({
                "model": target, "written": !self.dry_run, "blake3": bundle.blake3, "threshold": m.threshold,
                "claim": m.claim, "chosen": m.chosen, "left_out": scores.left_out, "learned_from": scores.learned,
            }))?;
            return Ok(Exit::Ok);
        }
        output::line(&format!("  threshold     {was:.4} before, {:.4} now", m.threshold))?;
        claim::print(m)?;
        output::line(&match self.dry_run {
            true => "nothing was written (--dry-run)".to_owned(),
            false => format!("{}: written", target.display()),
        })?;
        Ok(Exit::Ok)
    }

    /// By what the threshold is to be chosen; `None` if nothing was said and there are no defects to weigh.
    fn aim(&self, has_defects: bool) -> Option<Aim> {
        let confidence = self.confidence;
        if let Some(share) = self.max_false_reject {
            return Some(Aim::Rule(fit::rule(Some(share), confidence)));
        }
        if let Some(score) = self.set {
            return Some(Aim::Fixed(score));
        }
        if let Some(costs) = self.cost {
            return Some(Aim::Cost(costs));
        }
        if self.ordinary {
            return Some(Aim::Rule(ThresholdRule::Ordinary { confidence }));
        }
        has_defects.then_some(Aim::Cost(MistakeCosts { miss: 1.0, reject: 1.0 }))
    }

    /// The aim as it would be given, for the record.
    fn how(&self, aim: Aim) -> String {
        let aim = match aim {
            Aim::Rule(ThresholdRule::FalseReject(p)) => format!("--max-false-reject {}%", p.max_false_reject * 100.0),
            Aim::Rule(ThresholdRule::Ordinary { .. }) => "--ordinary".to_owned(),
            Aim::Fixed(score) => format!("--set {score}"),
            Aim::Cost(costs) => format!("--cost miss={},reject={}", costs.miss, costs.reject),
        };
        match &self.from {
            Some(folder) => format!("{aim} --from {}", folder.display()),
            None => aim,
        }
    }

    fn scores(&self, bundle: &Arc<Bundle>, folder: &std::path::Path) -> Result<Scores, Failure> {
        let bar = super::progress::Progress::new();
        bar.set_message("reviewed pictures");
        let mut progress = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let scores = operating::score_folder(bundle, folder, false, &self.engine.options(), &mut progress)?;
        bar.finish_and_clear();
        if !self.json {
            output::note(&format!(
                "{} good and {} defective pictures with a score",
                scores.good.len(),
                scores.bad.len()
            ));
            if (1..FEW).contains(&scores.good.len()) && self.set.is_none() {
                output::note(&format!(
                    "note: {} good pictures are few to choose a threshold by; with fewer than {FEW} the scores that learning kept are often the better guide",
                    scores.good.len()
                ));
            }
            for line in &scores.left_out {
                output::note(&format!("left out: {line}"));
            }
            if let Some(first) = scores.learned.first() {
                output::note(&format!(
                    "note: {} of the good pictures have names that the model was learned from ({first}, …); if they are the same, their scores \
                     are too low to choose a threshold by",
                    scores.learned.len()
                ));
            }
        }
        Ok(scores)
    }

    /// The threshold of now, and what others would promise by the held-out scores.
    fn show(&self, bundle: &Bundle) -> Result<(), Failure> {
        let m = &bundle.manifest;
        let scores = bundle.fair_scores();
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let mut others: Vec<f32> = [0.0, 0.01, 0.02, 0.05, 0.10]
            .iter()
            .filter_map(|share| sorted.get((share * sorted.len() as f64 + 1e-9) as usize).map(|score| score.next_up()))
            .collect();
        others.dedup();
        if self.json {
            let each = |t: &f32| serde_json::json!({"threshold": t, "claim": claim_at(&scores, *t, self.confidence)});
            output::json(&serde_json::json!({
                "model": self.model, "threshold": m.threshold, "claim": m.claim, "chosen": m.chosen,
                "others": others.iter().map(each).collect::<Vec<_>>(),
            }))?;
            return Ok(());
        }
        output::line(&format!("  threshold     {:.4}", m.threshold))?;
        claim::print(m)?;
        output::line(&format!(
            "\n{:>12}  {:28}at most rejected, with {} % confidence",
            "threshold",
            "good pictures above",
            self.confidence * 100.0
        ))?;
        for t in others {
            let held = claim_at(&scores, t, self.confidence);
            let share = claim::figures(held.max_false_reject * 100.0);
            output::line(&format!("{t:>12.4}  {:28}{share} %", format!("{} of {}", held.above, held.images)))?;
        }
        output::line(&format!(
            "to set one: andon threshold {} --set SCORE, --max-false-reject SHARE, or --from REVIEWED",
            self.model.display()
        ))?;
        Ok(())
    }
}

/// Who runs the program.
fn user() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_name_both_mistakes() {
        assert_eq!(costs("reject=1, miss=20").unwrap(), MistakeCosts { miss: 20.0, reject: 1.0 });
        assert!(
            ["", "miss=1", "miss=0,reject=1", "miss=x,reject=1", "a=1,b=2", "miss=1,reject=-1"]
                .iter()
                .all(|t| costs(t).is_err())
        );
    }
}
