//! `andon user`: who may do what on the operator's page, and what was done.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::{Exit, Failure};
use super::output;
use crate::config;
use andon_core::{Actor, Role, Via};
use andon_service::accounts::{Accounts, AuditEntry, check_password};
use andon_service::act::{Act, ActError, AddUser, ChangePassword, RemoveUser, Service};

/// The line in `andon --help`.
pub(super) const ABOUT: &str =
    "Who may do what on the operator's page, and what was done: add, list, remove, passwd, audit";

/// `andon user`.
#[derive(Debug, Args)]
pub(super) struct UserCommand {
    #[command(subcommand)]
    action: Action,
    /// The configuration, whose page.database holds the users; without it, `andon.toml` in this folder, else the defaults.
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user; asks for a PIN (operator, at least 4 digits) or a password (others, at least 8 characters), or reads it as a line
    /// of standard input.
    Add {
        /// Name, as it is typed at login.
        name: String,
        /// What the user may do; each role may do what the ones before it may.
        #[arg(long)]
        role: UserRole,
    },
    /// Show all users.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a user; what the user did stays in the audit.
    Remove {
        /// Name.
        name: String,
    },
    /// Give a user another PIN or password; the user has to log in again everywhere.
    Passwd {
        /// Name.
        name: String,
    },
    /// Print what was done and by whom, oldest first, as CSV.
    Audit {
        /// As JSON instead.
        #[arg(long)]
        json: bool,
    },
}

/// The roles that a user can have.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum UserRole {
    /// Acknowledges alarms.
    Operator,
    /// Releases the line after a stop, too.
    Leader,
    /// Changes thresholds and reads the audit, too.
    Quality,
    /// Everything.
    Admin,
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Role {
        match role {
            UserRole::Operator => Role::Operator,
            UserRole::Leader => Role::Leader,
            UserRole::Quality => Role::Quality,
            UserRole::Admin => Role::Admin,
        }
    }
}

impl UserCommand {
    pub fn run(self) -> Result<Exit, Failure> {
        let usual = PathBuf::from("andon.toml");
        let file = self.config.or_else(|| usual.exists().then_some(usual));
        let loaded = config::load(file.as_deref(), config::environment(), &[]).map_err(Failure::config)?;
        let database = &loaded.config.page.database;
        let accounts = Arc::new(Accounts::open(database).map_err(Failure::config)?);
        let service = Service::of_accounts(accounts.clone());
        match self.action {
            Action::Add { name, role } => {
                let role = Role::from(role);
                let password = new_password(&name, role)?;
                perform(&service, &AddUser { name: name.clone(), role, password })?;
                output::line(&format!("{name} ({role}) can log in; kept in {}", database.display()))?;
            }
            Action::List { json } => {
                let users = accounts.users()?;
                if json {
                    let list: Vec<_> = users
                        .iter()
                        .map(|u| serde_json::json!({ "name": u.name, "role": u.role.as_str(), "created": u.created }))
                        .collect();
                    output::json(&serde_json::Value::Array(list))?;
                } else {
                    for user in &users {
                        output::line(&format!("{:<40} {:<9} {}", user.name, user.role.as_str(), user.created))?;
                    }
                    if users.is_empty() {
                        output::note("no users yet: `andon user add NAME --role admin` makes the first one");
                    }
                }
            }
            Action::Remove { name } => {
                perform(&service, &RemoveUser { name: name.clone() })?;
                output::line(&format!("{name} is removed"))?;
            }
            Action::Passwd { name } => {
                let role = accounts.user(&name)?.role;
                let password = new_password(&name, role)?;
                perform(&service, &ChangePassword { name: name.clone(), password })?;
                output::line(&format!("{name} has another password"))?;
            }
            Action::Audit { json } => {
                let mut entries = accounts.audit(None, u32::MAX)?;
                entries.reverse();
                if json {
                    output::json(&entries)?;
                } else {
                    output::line(&AuditEntry::COLUMNS.join(","))?;
                    for entry in &entries {
                        output::line(&entry.csv())?;
                    }
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// Does an act as whoever is logged in on the box: who can write the file may do everything anyway.
fn perform<A: Act>(service: &Service, act: &A) -> Result<(), ActError> {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    service.perform(&Actor { user, role: Role::Admin, via: Via::CommandLine }, act, "").map(drop)
}

/// Asks twice on a terminal, without showing what is typed; else takes the first line of standard input.
fn new_password(name: &str, role: Role) -> Result<String, Failure> {
    let what = if role <= Role::Operator { "PIN" } else { "password" };
    let usage = |why: String| Failure::new(Exit::Usage, anyhow::anyhow!(why));
    let password = if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("{what} of {name}: "))?;
        check_password(role, &first).map_err(|e| usage(e.to_string()))?;
        if rpassword::prompt_password("the same again: ")? != first {
            return Err(usage(format!("the two are not the same; the {what} is as it was")));
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    };
    check_password(role, &password).map_err(|e| usage(e.to_string()))?;
    Ok(password)
}
