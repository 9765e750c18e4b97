//! What happened, and why a part has its outcome, in German.

use andon_core::{EventKind, Reason};

pub(super) fn event(kind: EventKind) -> [&'static str; 2] {
    match kind {
        EventKind::DuplicateTrigger => {
            ["Auslöser kam doppelt", "Prüfen, ob der Sensor prellt, und parts.min_pitch_mm."]
        }
        EventKind::FrameWithoutPart => {
            ["Bild ohne Teil", "Ein Auslöser fehlte oder die Kamera löste selbst aus: Sensor und Kabel prüfen."]
        }
        EventKind::TriggerWithoutFrame => ["Teil ohne Bild", "Auslösekabel und Licht der Kamera prüfen."],
        EventKind::EncoderSilent => {
            ["Teile kommen und der Drehgeber steht", "Kupplung, Kabel und Versorgung des Drehgebers prüfen."]
        }
        EventKind::EncoderReset => {
            ["Zählerstand des Drehgebers sprang", "Wurde überbrückt. Kommt es wieder, Kabel und Schirm prüfen."]
        }
        EventKind::EncoderLost => ["Der Drehgeber ist nicht lesbar", "Kabel und Versorgung prüfen."],
        EventKind::EncoderBack => ["Der Drehgeber arbeitet wieder", "Nichts zu tun."],
        EventKind::CameraDown => {
            ["Die Kamera liefert keine Bilder", "Ihre Teile enden UNGEPRÜFT. Versorgung und Netzwerkkabel prüfen."]
        }
        EventKind::CameraBack => ["Die Kamera liefert wieder Bilder", "Nichts zu tun."],
        EventKind::ConsecutiveRejects => {
            ["Viel Ausschuss hintereinander", "Die letzten Ausschussteile ansehen: Teile, Licht oder Lage der Kamera?"]
        }
        EventKind::RejectShare => {
            ["Zu viel Ausschuss", "Die letzten Ausschussteile ansehen: Teile, Licht oder Lage der Kamera?"]
        }
        EventKind::StuckOn => ["Ein Ausgang war zu lange an", "Er wurde abgeschaltet. Ventil und max_on_ms prüfen."],
        EventKind::OverDuty => {
            ["Ein Ausgang war zu oft an", "Er wurde zum Schutz des Ventils abgeschaltet. Warten, dann freigeben."]
        }
        EventKind::RejectUnconfirmed => [
            "Ausschuss verließ das Band nicht nachweislich",
            "Teil auf dem Band suchen. Luftdruck und Sensor hinter dem Auswerfer prüfen.",
        ],
        EventKind::ConfirmUnexpected => ["Etwas verließ das Band ungeplant", "Sensor hinter dem Auswerfer prüfen."],
        EventKind::OutputFault => ["Ein Ausgang folgt nicht", "24 V, Kabel und Adresse des Moduls prüfen."],
        EventKind::OutputBack => ["Der Ausgang arbeitet wieder", "Nichts zu tun."],
        EventKind::InputFault => ["Ein Eingang ist nicht lesbar", "24 V, Kabel und Adresse des Moduls prüfen."],
        EventKind::InputBack => ["Der Eingang arbeitet wieder", "Nichts zu tun."],
        EventKind::MissedEjection => [
            "Ein Teil lief am Auswerfer vorbei",
            "Von Hand entnehmen. Abstand zum Auswerfer und Bandgeschwindigkeit prüfen.",
        ],
        EventKind::ChallengePassed => ["Prüfung mit Schlechtteilen bestanden", "Nichts zu tun."],
        EventKind::ChallengeFailed => [
            "Ein bekanntes Schlechtteil wurde nicht Ausschuss",
            "Der Prüfung nicht trauen: Kamera, Licht und Schwelle ansehen, dann noch einmal prüfen.",
        ],
        EventKind::ChallengeOverdue => [
            "Diese Schicht hat keine bestandene Prüfung mit Schlechtteilen",
            "Die Schlechtteile prüfen: Alarme, Prüfung.",
        ],
        EventKind::LineStop => ["LINIENHALT", "Ursache beheben, dann die Linie freigeben."],
        EventKind::LineReleased => ["Die Linie wurde freigegeben", "Nichts zu tun."],
    }
}

pub(super) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnderThreshold => "Nichts Auffälliges gefunden.",
        Reason::OverThreshold => "Weicht zu stark von guten Teilen ab.",
        Reason::Overflow => "Nicht geprüft: Teile kamen schneller, als sie beurteilt werden.",
        Reason::Late => "Nicht rechtzeitig geprüft.",
        Reason::FrameMissing => "Die Kamera lieferte kein Bild davon.",
        Reason::RecipeChanged => "Das Rezept wechselte, bevor alle Kameras geurteilt hatten.",
        Reason::Stopped => "Die Linie hielt, bevor es beurteilt war.",
        Reason::BadFrame => "Das Bild ist beschädigt.",
        Reason::WrongSize => "Das Bild hat eine andere Größe als die gelernten.",
        Reason::NonFiniteScore => "Die Abweichung ist keine Zahl.",
        Reason::EngineFault => "Das Rechenwerk versagte und wird neu aufgebaut.",
        Reason::StagePanic => "Die Prüfung versagte und wird neu gestartet.",
        Reason::WrongKind => "Das Bild ist von anderer Art als die gelernten.",
        Reason::NotAligned => "Das Teil liegt in keiner gelernten Lage.",
        Reason::Borderline => "Knapp unter der Schwelle: jemand sollte es ansehen.",
    }
}
