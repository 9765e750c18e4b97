//! `andon fit --method` and `--param`, and what its help says of the methods.

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::fit::FitCommand;
use andon_vision::methods::{self, Param, patchcore};

/// The values of `--method`.
pub(super) fn method() -> PossibleValuesParser {
    PossibleValuesParser::new(methods::learned().map(|method| PossibleValue::new(method.id()).help(method.about())))
}

/// `KEY=VALUE`; the value is a number, `true`, `false` or a word.
pub(super) fn param(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "write it as KEY=VALUE".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((key.trim().to_owned(), value))
}

/// The method's parameters: PatchCore's have flags of their own, and `--param` has the last word.
pub(super) fn params(fit: &FitCommand) -> Result<Value, Failure> {
    let mut params = serde_json::Map::new();
    let time_budget = fit.time_budget.filter(|_| !fit.auto);
    if time_budget.is_some() && fit.bank.is_some() {
        let why = anyhow::anyhow!("--time-budget finds the bank's size and --bank gives it; take one of them");
        return Err(Failure::new(Exit::Usage, why));
    }
    let method = fit.method.as_deref().unwrap_or(patchcore::ID);
    if method == patchcore::ID {
        let flags = patchcore::Params {
            bank: fit.bank.unwrap_or(patchcore::Params::default().bank),
            time_budget_ms: time_budget.map(|budget| budget.as_secs_f64() * 1e3),
            local_scale: fit.how.local_scale,
            denoise: fit.denoise,
        };
        if let Value::Object(flags) = flags.to_value() {
            params.extend(flags);
        }
    } else if time_budget.is_some() || fit.denoise.is_some() {
        let why = anyhow::anyhow!(
            "--time-budget and --denoise are about the memory bank of patchcore; leave them out with {method}"
        );
        return Err(Failure::new(Exit::Usage, why));
    } else if let Some(bank) = fit.bank {
        let takes = methods::by_id(method).is_some_and(|m| m.params().iter().any(|param| param.name == "bank"));
        if !takes {
            let why = anyhow::anyhow!("--bank is about a memory bank, and {method} has none");
            return Err(Failure::new(Exit::Usage, why));
        }
        params.insert("bank".to_owned(), bank.into());
    }
    params.extend(fit.params.iter().cloned());
    Ok(Value::Object(params))
}

/// What each method does, and its parameters.
pub(super) fn help() -> String {
    let mut text = "Methods:\n".to_owned();
    for method in methods::learned() {
        text += &format!("  {}: {}\n", method.id(), method.about());
        for Param { name, default, about } in method.params() {
            text += &format!("    --param {name}=… {about}; without it {default}\n");
        }
    }
    text
}
