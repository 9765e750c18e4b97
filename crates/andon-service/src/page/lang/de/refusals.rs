//! Why something was not done, in German. What only who looks after the box can mend keeps the words of the system behind a colon.

use crate::accounts::AccountError;
use crate::act::ActError;
use crate::backup::BackupError;
use crate::live::{AlarmError, ChallengeError, MOST_PARTS, MOST_TRIAL_PARTS, ThresholdTrialError};
use crate::models::{ModelError, SECONDS};
use crate::page::Language;
use crate::page::lang::de::TEXTS;
use crate::page::numbers::real;
use andon_core::{ControlError, Role, ThresholdError};
use andon_io::history::{HistoryError, ParameterError, ReviewError, StoreError, TextFault};

pub(super) fn act(why: &ActError) -> String {
    match why {
        ActError::Role { user, has, needs } => {
            let (has, needs) = (TEXTS.role(*has), TEXTS.role(*needs));
            format!("{user} hat die Rolle {has}; dafür braucht es die Rolle {needs}.")
        }
        ActError::Reason => "Sagen Sie, warum: Der Grund steht im Protokoll.".to_owned(),
        ActError::NoLine => "In diesem Programm läuft keine Linie.".to_owned(),
        ActError::NoHistory => {
            "Es wird kein Verlauf aufgehoben; [store] mit enabled = true in der Konfiguration hebt einen auf."
                .to_owned()
        }
        ActError::History(why) => history(why),
        ActError::Review(why) => review(why),
        ActError::Control(why) => control(why),
        ActError::Alarm(AlarmError::NoAlarm) => "Diesen Alarm gibt es nicht mehr.".to_owned(),
        ActError::Model(why) => model(why),
        ActError::Backup(why) => backup(why),
        ActError::Challenge(why) => match why {
            ChallengeError::NoSuchCamera => "Diese Kamera gibt es hier nicht.".to_owned(),
            ChallengeError::Running => "An dieser Kamera läuft schon eine Prüfung mit Schlechtteilen.".to_owned(),
            ChallengeError::NotRunning => "An dieser Kamera läuft keine Prüfung mit Schlechtteilen.".to_owned(),
            ChallengeError::Parts => format!("Eine Prüfung hat 1 bis {MOST_PARTS} Schlechtteile."),
        },
        ActError::Trial(why) => match why {
            ThresholdTrialError::NoSuchCamera => "Diese Kamera gibt es hier nicht.".to_owned(),
            ThresholdTrialError::Running => {
                "An dieser Kamera ist schon eine Schwelle auf Probe; beenden Sie das zuerst.".to_owned()
            }
            ThresholdTrialError::NotRunning => "An dieser Kamera ist keine Schwelle auf Probe.".to_owned(),
            ThresholdTrialError::Parts => format!("Eine Probe hat 1 bis {MOST_TRIAL_PARTS} Teile."),
            ThresholdTrialError::InForce => "Diese Schwelle gilt schon.".to_owned(),
        },
        ActError::Account(why) => account(why),
        ActError::NotAudited(why) => {
            format!("Es wurde getan, steht aber nicht im Protokoll: {}", account(why))
        }
    }
}

pub(super) fn model(why: &ModelError) -> String {
    match why {
        ModelError::NoFiles => TEXTS.no_models.to_owned(),
        ModelError::NoHistory => {
            "Ohne Verlauf weiß niemand, welche Teile fehlerhaft sind; [store] mit enabled = true hebt einen auf."
                .to_owned()
        }
        ModelError::NoPicture(part) => format!(
            "Vom Teil {part} ist kein Bild aufgehoben; [pictures] mit enabled = true hebt die der Teile auf, die nicht gut waren."
        ),
        ModelError::Lossy(part) => format!(
            "Das Bild des Teils {part} ist als JPEG aufgehoben, und das ist nicht ganz, was beurteilt wurde; pictures.format = \"lossless\" hebt auf, \
             was sich lernen lässt."
        ),
        ModelError::NoCamera(camera) => format!("An dieser Linie urteilt keine Kamera „{camera}“."),
        ModelError::Refused(why) => format!("Das geht nicht: {why}"),
        ModelError::Threshold(why) => control(why),
        ModelError::BelowUsual { threshold, baseline } => format!(
            "Eine Schwelle von {} liegt unter dem, was gute Stellen bei diesem Modell üblicherweise haben ({}); nichts ginge durch.",
            real(f64::from(*threshold), 4, Language::De),
            real(f64::from(*baseline), 4, Language::De)
        ),
        ModelError::ReviewedBad { part, user } => {
            format!("{user} hat das Teil {part} als wirklich schlecht begutachtet; nehmen Sie das zuerst zurück.")
        }
        ModelError::DefectPasses(parts) => format!("Als fehlerhaft bekannt, gingen aber durch: {}", parts.join(", ")),
        ModelError::NotTried(part) => format!("Das Teil {part} ist noch nicht fertig geprüft."),
        ModelError::Changed => {
            "Modell, Schwelle oder Begutachtungen sind seit der Prüfung andere; prüfen Sie noch einmal.".to_owned()
        }
        ModelError::Busy => "Eine andere Änderung der Modelle läuft noch; versuchen Sie es danach.".to_owned(),
        ModelError::NotTaken(camera) => {
            format!("Die Kamera „{camera}“ hat das Modell in {SECONDS} s nicht übernommen; alles ist, wie es war.")
        }
        ModelError::Configured(camera) => format!(
            "cameras.{camera}.threshold in der Konfiguration gilt bei jedem Start für diese Kamera, was auch im Modell steht; ändern Sie es dort, oder nehmen Sie es heraus."
        ),
        ModelError::Passes(part) => format!("Das Teil {part} geht auch so durch: Dafür muss nichts geändert werden."),
        ModelError::NoDecision => "Die Schwelle ist die gelernte; es gibt nichts zurückzunehmen.".to_owned(),
        ModelError::File(why) => format!("Die Datei lässt sich nicht schreiben: {why}"),
        ModelError::NoRecipe(name) => format!("Es gibt kein Rezept „{name}“."),
    }
}

pub(super) fn account(why: &AccountError) -> String {
    match why {
        AccountError::Open { path, source } => {
            format!("page.database: {} lässt sich nicht öffnen: {source}", path.display())
        }
        AccountError::Later(path) => {
            format!("page.database: {} hat eine spätere Version von andon geschrieben.", path.display())
        }
        AccountError::Database(source) => format!("Benutzer und Protokoll sind nicht erreichbar: {source}"),
        AccountError::Name(name) => {
            format!("Der Name „{name}“ muss 1 bis 40 Zeichen haben, ohne Leerzeichen am Rand und ohne Steuerzeichen.")
        }
        AccountError::Exists(name) => format!("Es gibt schon einen Benutzer „{name}“."),
        AccountError::NoUser(name) => format!("Es gibt keinen Benutzer „{name}“."),
        AccountError::LastAdmin(name) => {
            let admin = TEXTS.role(Role::Admin);
            format!("„{name}“ hat als letzter Benutzer die Rolle {admin}; geben Sie sie zuerst einem anderen.")
        }
        AccountError::Password(Role::Viewer | Role::Operator) => "Eine PIN muss mindestens 4 Ziffern haben.".to_owned(),
        AccountError::Password(role) => {
            format!("Das Passwort der Rolle {} muss mindestens 8 Zeichen haben.", TEXTS.role(*role))
        }
        AccountError::Wrong => "Name oder Passwort ist falsch.".to_owned(),
        AccountError::Wait(wait) => {
            format!("Zu viele Versuche; in {} s geht es weiter.", wait.as_secs() + 1)
        }
        AccountError::Random(why) => format!("Das System gibt keine Zufallszahlen: {why}"),
        AccountError::Hash(why) => format!("Das Passwort lässt sich nicht aufheben: {why}"),
    }
}

pub(super) fn history(why: &HistoryError) -> String {
    match why {
        HistoryError::Missing(path) => {
            format!("Bei {} ist kein Verlauf; store.path sagt, wo er liegt.", path.display())
        }
        HistoryError::Earlier(path) => format!(
            "Der Verlauf {} ist von einer früheren Version; `andon run` bringt ihn nebenher auf den Stand, `andon history migrate` gleich.",
            path.display()
        ),
        HistoryError::Store(why) => store(why),
        HistoryError::Parameter(why) => parameter(why),
        HistoryError::TooSlow(limit) => {
            format!(
                "Die Abfrage dauerte länger als {} ms; grenzen Sie sie nach Zeit oder Kamera ein.",
                limit.as_millis()
            )
        }
        HistoryError::Sqlite(source) => format!("Der Verlauf lässt sich nicht lesen: {source}"),
    }
}

fn backup(why: &BackupError) -> String {
    match why {
        BackupError::Nothing => {
            "Von dieser Linie gibt es nichts zu sichern: Sie hat keine Konfigurationsdatei.".to_owned()
        }
        BackupError::Busy => "Es wird schon gesichert; versuchen Sie es danach noch einmal.".to_owned(),
        BackupError::Database { path, source } => {
            format!(
                "{} lässt sich nicht kopieren: {source}; dafür muss so viel Platz sein, wie sie hat.",
                path.display()
            )
        }
        BackupError::Changed(path) => {
            format!("{} wurde währenddessen geändert; sichern Sie noch einmal.", path.display())
        }
        other => format!("Die Sicherung misslang: {other}"),
    }
}

fn store(why: &StoreError) -> String {
    match why {
        StoreError::Sqlite { path, source, .. } => {
            format!("Der Verlauf {} ist nicht erreichbar: {source}", path.display())
        }
        StoreError::Newer { path, .. } => {
            format!("Den Verlauf {} hat eine spätere Version von andon geschrieben.", path.display())
        }
    }
}

fn parameter(why: &ParameterError) -> String {
    let ParameterError { parameter, value, .. } = why;
    let (field, what) = match parameter.as_str() {
        "from" => (TEXTS.from, "ein Tag, ein Zeitpunkt (2026-11-30T06:00) oder wie lange her (8h, 7d)"),
        "to" => (TEXTS.to, "ein Tag, ein Zeitpunkt (2026-11-30T06:00) oder wie lange her (8h, 7d), nach dem Beginn"),
        "ratio" => (TEXTS.ratio_word, "Zahlen, die kleinere zuerst"),
        "defect" => (TEXTS.defect, "eine Fehlerart, die schon jemand angab"),
        "camera" => (TEXTS.camera, "eine Kamera, von der im Verlauf etwas steht"),
        "reason" => (TEXTS.reason_word, "ein Grund, der im Verlauf steht"),
        "outcome" => (TEXTS.outcome_word, "eines der vier Urteile"),
        "review" => (TEXTS.review_word, "eine der angebotenen Sichtungen"),
        other => (other, "etwas anderes"),
    };
    format!("„{value}“ passt nicht in das Feld „{field}“; verlangt ist {what}.")
}

fn review(why: &ReviewError) -> String {
    match why {
        ReviewError::NoSuchPart(part) => {
            format!(
                "Das Teil {part} steht nicht im Verlauf; seine Zeile ist entfernt, oder es ist von einem anderen Rechner."
            )
        }
        ReviewError::Conflict { current, .. } => match current {
            Some(review) => format!("Dieses Teil hat inzwischen {} gesichtet.", review.user),
            None => "Zu diesem Teil wurde inzwischen etwas zurückgenommen.".to_owned(),
        },
        ReviewError::NothingToWithdraw(_) => "Zu diesem Teil gibt es nichts zurückzunehmen.".to_owned(),
        ReviewError::Text { field, fault } => {
            let field = match *field {
                "name" => TEXTS.batch_name,
                "defect" => TEXTS.defect,
                "comment" => TEXTS.comment,
                "user" | "actor" => TEXTS.name,
                other => other,
            };
            match fault {
                TextFault::Empty => format!("Das Feld „{field}“ ist leer."),
                TextFault::Long { letters, most } => {
                    format!("Das Feld „{field}“ hat {letters} Buchstaben; erlaubt sind {most}.")
                }
                TextFault::Control => format!("Im Feld „{field}“ stehen Steuerzeichen."),
            }
        }
        ReviewError::Store(why) => store(why),
    }
}

fn control(why: &ControlError) -> String {
    match why {
        ControlError::NoSuchCamera => "Diese Kamera gibt es hier nicht.".to_owned(),
        ControlError::Threshold(why) => threshold(why),
        ControlError::Unsafe { camera, source } => {
            format!("{} In der Konfiguration erlaubt es cameras.{camera}.threshold_unsafe = true.", threshold(source))
        }
        ControlError::NoTriggers => "Teile werden hier nicht durch Nachrichten angekündigt.".to_owned(),
        ControlError::Busy(_) => "Die Linie ist zu beschäftigt; versuchen Sie es noch einmal.".to_owned(),
        ControlError::NotAllowed(why) => format!("Das ist nicht erlaubt: {why}"),
    }
}

fn threshold(why: &ThresholdError) -> String {
    let number = |value: f32, places| real(f64::from(value), places, Language::De);
    match *why {
        ThresholdError::NotUsable(_) => TEXTS.not_a_number.to_owned(),
        ThresholdError::FarOverOwn { wanted, own } => format!(
            "{} ist {} % der Schwelle des Modells, {}; so weit darüber gehen Fehler durch, die das Modell sieht.",
            number(wanted, 2),
            number(wanted / own * 100.0, 0),
            number(own, 4)
        ),
    }
}
