//! German.

use super::Texts;
use andon_core::{EventKind, Reason};

pub(super) const TEXTS: Texts = Texts {
    pass: "GUT",
    reject: "AUSSCHUSS",
    uninspected: "UNGEPRÜFT",
    error: "FEHLER",
    viewer: "Zuschauer",
    operator: "Bediener",
    leader: "Schichtleitung",
    quality: "Qualität",
    admin: "Verwaltung",
    running: "läuft",
    down: "liefert keine Bilder",
    ended: "beendet",
    starting: "startet",
    skip: "Zum Inhalt springen",
    pages: "Seiten",
    live: "Live",
    alarms: "Alarme",
    unseen: "ungesehen",
    threshold: "Schwelle",
    system: "System",
    audit: "Protokoll",
    users: "Benutzer",
    log_in: "Anmelden",
    log_out: "Abmelden",
    name: "Name",
    password: "PIN oder Passwort",
    idle_hint: "Nach 15 Minuten ohne Bedienung werden Sie abgemeldet.",
    no_users: "Es gibt noch keinen Benutzer, deshalb zeigt diese Seite nur an. Den ersten legt die Verwaltung am Rechner an:",
    look: "Aussehen und Sprache",
    dark: "Dunkel",
    light: "Hell",
    veil_since: "Keine Verbindung seit",
    veil_old: "Was darunter steht, ist alt. Die Seite verbindet sich selbst, sobald der Rechner antwortet.",
    encoder: "der Drehgeber",
    camera: "Kamera",
    ejector: "Auswerfer",
    output: "Ausgang",
    input: "Eingang",
    simulated: "simuliert",
    acknowledge: "Quittieren",
    log_in_to_acknowledge: "Zum Quittieren anmelden",
    since: "seit",
    over: "vorbei",
    standing: "steht noch an",
    seen_by: "gesehen von",
    last: "zuletzt",
    line_stop_stands: "Die Linie soll stehen",
    release_hint: "Das bleibt so, bis jemand sie freigibt.",
    release: "Linie freigeben …",
    release_now: "Jetzt freigeben",
    release_warning: "Stellen Sie sicher, dass die Ursache behoben ist und niemand in die Maschine greift.",
    no_line_stop: "Die Linie soll nicht stehen; es gibt nichts freizugeben.",
    back: "Zurück",
    no_alarms: "Keine Alarme.",
    log: "Was geschah",
    log_empty: "Seit dem Start nichts Ungewöhnliches.",
    when: "wann",
    what: "was",
    where_: "wo",
    count: "wie oft",
    who: "wer",
    why: "warum",
    before: "vorher",
    after: "nachher",
    refused: "abgelehnt",
    role_word: "Rolle",
    users_hint: "Benutzer werden am Rechner angelegt:",
    needs_role: "Dafür braucht es die Rolle",
    part: "Teil",
    score: "Abweichung",
    of: "von Schwelle",
    of_threshold: "der Schwelle",
    no_score: "keine Abweichung gemessen",
    nearest: "Ähnelt am meisten",
    regions: "Stellen",
    no_pictures: "Bilder werden nicht aufgehoben:",
    no_picture: "Von diesem Teil gibt es kein Bild.",
    heatmap: "Wärmebild",
    heat_less: "Wärmebild schwächer",
    heat_more: "Wärmebild stärker",
    no_part_yet: "Noch kein Teil",
    no_part_hint: "Hier steht das letzte Ausschussteil, bis das nächste kommt.",
    counters: "Teile seit dem Start",
    since_start: "Seit Start",
    parts: "Teile",
    share: "Anteil",
    offered: "angeboten",
    on_the_way: "unterwegs",
    trend_title: "Ausschuss und Abweichung, 2 Stunden",
    trend_rejects: "Ausschuss in 10 min",
    trend_median: "gute Teile, Median (rechts)",
    trend_p99: "99 % (rechts)",
    time_left: "Zeit übrig",
    ejected_missed: "Ausgeworfen / verfehlt",
    good_scores: "Gute, Median / 99 %",
    rejects_10_min: "Ausschuss, 10 min",
    records: "Datensätze",
    fine: "in Ordnung",
    troubles: "Störungen",
    strip: "Die letzten Teile, die nicht gut waren",
    strip_empty: "Seit dem Start war jedes Teil gut.",
    newer: "Neuer",
    older: "Älter",
    in_force: "gilt",
    models_own: "die des Modells",
    new_threshold: "Neue Schwelle",
    until_restart: "Gilt vom nächsten Teil bis zum nächsten Start von andon. Steht im Protokoll.",
    set_threshold: "Schwelle setzen",
    boxes: "Dieser Rechner",
    version: "Version",
    box_word: "Rechner",
    line_word: "Linie",
    refused_requests: "Anfragen abgelehnt",
    failed_logins: "Anmeldungen abgelehnt",
    viewers: "Zuschauer",
    state: "Zustand",
    model: "Modell",
    hash: "blake3",
    engine: "Rechenwerk",
    degraded: "Arbeitet mit weniger als verlangt",
    yes: "ja",
    no: "nein",
    latency: "Aufnahme bis Urteil, Median / 99 %",
    restarts: "Neustarts von Kamera / Erkennung",
    sink: "Ausgang",
    taken: "übernommen",
    shed: "verworfen",
    waiting: "wartend",
    set_aside: "beiseitegelegt",
    trouble: "Störung",
    not_there: "Nicht vorhanden",
    part_gone: "Dieses Teil wird nicht mehr aufgehoben, nur die letzten, die nicht gut waren.",
    form_old: "Dieses Formular ist zu alt oder kam von einer anderen Seite. Öffnen Sie es neu.",
    not_a_number: "Die Schwelle muss eine Zahl über 0 sein.",
    event,
    reason,
};

fn event(kind: EventKind) -> [&'static str; 2] {
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
        EventKind::LineStop => ["LINIENHALT", "Ursache beheben, dann die Linie freigeben."],
        EventKind::LineReleased => ["Die Linie wurde freigegeben", "Nichts zu tun."],
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::UnderThreshold => "Nichts Auffälliges gefunden.",
        Reason::OverThreshold => "Weicht zu stark von guten Teilen ab.",
        Reason::Overflow => "Nicht geprüft: Teile kamen schneller, als sie beurteilt werden.",
        Reason::Late => "Nicht rechtzeitig geprüft.",
        Reason::FrameMissing => "Die Kamera lieferte kein Bild davon.",
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
