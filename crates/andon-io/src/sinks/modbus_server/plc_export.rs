//! What a PLC programmer gets of the one table of registers: a page, a tag list, and a function block in Structured Text.

use super::registers::{BLOCK, CONTROL, CONTROL_BITS, MAP_VERSION, RECIPE, STATUS, STATUS_BITS};
use andon_core::Reason;

/// The map as a Markdown page, for cameras in the order of their blocks.
pub fn markdown(cameras: &[String]) -> String {
    let mut text =
        String::from("| block | camera | status registers | control register | coils |\n|---|---|---|---|---|\n");
    for (n, camera) in cameras.iter().enumerate() {
        let base = n * usize::from(BLOCK);
        let (last, control, coil) = (base + status_words() - 1, base + usize::from(CONTROL), n * 16);
        text +=
            &format!("| {n} | {camera} | {base}..{last} | {control} | {coil}..{} |\n", coil + CONTROL_BITS.len() - 1);
    }
    text += &format!(
        "\nRegisters are numbered from 0, in a block of {BLOCK} for each camera. Status: function 4 (input registers), or 3. Two \
         registers: the high word first.\n\n| register | words | name | says |\n|---|---|---|---|\n"
    );
    for r in STATUS {
        text += &format!("| {} | {} | {} | {} |\n", r.offset, r.words, r.name, r.about);
    }
    text += "\nStatus bits, also discrete inputs (function 2), 16 a block:\n\n| bit | name | says |\n|---|---|---|\n";
    for (n, (name, about)) in STATUS_BITS.iter().enumerate() {
        text += &format!("| {n} | {name} | {about} |\n");
    }
    text += &format!(
        "\nControl register {CONTROL} of the block (functions 6, 16), also coils (functions 5, 15), 16 a block:\n\n| bit | name | \
         says |\n|---|---|---|\n"
    );
    for (n, (name, about)) in CONTROL_BITS.iter().enumerate() {
        text += &format!("| {n} | {name} | {about} |\n");
    }
    text += &format!(
        "\nRecipe register {RECIPE} of the block (functions 6, 16): the number of a recipe changes the whole line over to it. The answer says only \
         that it was begun: RecipeChanging falls when it is over, RecipeNumber says which one is in force, and CommandFailed rises if \
         nothing came of it.\n"
    );
    text += "\n| ReasonCode | reason |\n|---|---|\n";
    for (n, reason) in Reason::ALL.iter().enumerate() {
        text += &format!("| {n} | {} |\n", reason.as_str());
    }
    text
}

/// A tag list, one line a register, for import into the PLC's tool.
pub fn csv(cameras: &[String]) -> String {
    let mut text = String::from("tag,address,words,function,access,comment\n");
    for (n, camera) in cameras.iter().enumerate() {
        let base = n * usize::from(BLOCK);
        for r in STATUS {
            let (at, about) = (base + usize::from(r.offset), r.about.replace('"', "'"));
            text += &format!("{camera}_{},{at},{},4,read,\"{about}\"\n", r.name, r.words);
        }
        text +=
            &format!("{camera}_Control,{},1,6,write,\"bits of the control register\"\n", base + usize::from(CONTROL));
        text += &format!("{camera}_Recipe,{},1,6,write,\"number of a recipe\"\n", base + usize::from(RECIPE));
    }
    text
}

/// A function block in Structured Text (IEC 61131-3) that keeps to the handshake and rejects unless told otherwise.
pub fn structured_text() -> String {
    let word = |name: &str| STATUS.iter().find(|r| r.name == name).map_or(0, |r| r.offset);
    let bit = |bits: &[(&str, &str)], name: &str| bits.iter().position(|b| b.0 == name).unwrap_or_default();
    let (status, control) = (|name| bit(&STATUS_BITS, name), |name| bit(&CONTROL_BITS, name));
    format!(
        r#"(* One camera. Call it in every cycle, after Reg was read (function 4, {words} registers from Block * {BLOCK}) and before
   Control is written (function 6, register Block * {BLOCK} + {CONTROL}). *)
FUNCTION_BLOCK FB_Andon
VAR_INPUT
    Reg : ARRAY[0..{last}] OF WORD;      (* as read *)
    BufferResults : BOOL := TRUE;
    Clear : BOOL;                        (* the operator's button *)
END_VAR
VAR_OUTPUT
    Control : WORD;                      (* to be written *)
    Alive : BOOL;                        (* the box lives and speaks this map *)
    NewResult : BOOL;                    (* TRUE for one cycle *)
    Pass : BOOL;                         (* of that result; FALSE unless it says PASS *)
    PartNumber : UDINT;
    LineStop : BOOL;
END_VAR
VAR
    LastBeat : WORD;
    Beat : TON;
    Acknowledged : BOOL;
END_VAR

(* A heartbeat that stands for half a second is a dead box: everything is then a reject. *)
Beat(IN := Reg[{beat}] = LastBeat, PT := T#500MS);
LastBeat := Reg[{beat}];
Alive := NOT Beat.Q AND Reg[{version}] = {MAP_VERSION};

NewResult := FALSE;
Pass := FALSE;
IF Alive AND Reg[{status_word}].{valid} AND NOT Acknowledged THEN
    NewResult := TRUE;
    Pass := Reg[{status_word}].{job_pass};
    PartNumber := SHL(WORD_TO_UDINT(Reg[{part}]), 16) OR WORD_TO_UDINT(Reg[{part_low}]);
    Acknowledged := TRUE;
ELSIF NOT Reg[{status_word}].{valid} THEN
    Acknowledged := FALSE;
END_IF;
LineStop := NOT Alive OR Reg[{status_word}].{line_stop};

Control := 0;
Control.{enable} := TRUE;
Control.{ack} := Acknowledged;
Control.{buffer} := BufferResults;
Control.{clear} := Clear;
END_FUNCTION_BLOCK
"#,
        words = status_words(),
        last = status_words() - 1,
        beat = word("Heartbeat"),
        version = word("MapVersion"),
        status_word = word("Status"),
        valid = status("ResultsValid"),
        job_pass = status("JobPass"),
        line_stop = status("LineStop"),
        part = word("PartNumber"),
        part_low = word("PartNumber") + 1,
        enable = control("TriggerEnable"),
        ack = control("ResultsAck"),
        buffer = control("BufferResults"),
        clear = control("ClearError"),
    )
}

/// Registers of the status part.
fn status_words() -> usize {
    STATUS.last().map_or(0, |r| usize::from(r.offset + r.words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_carries_the_map_and_the_block_of_this_build() {
        let docs = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plc.md"))
            .unwrap();
        assert!(docs.contains(&markdown(&["top".into(), "side".into()])), "docs/plc.md: `andon plc-check map`");
        assert!(docs.contains(&structured_text()), "docs/plc.md: `andon plc-check map --structured-text`");
    }

    #[test]
    fn a_tag_list_has_one_line_for_each_register_of_each_camera() {
        let text = csv(&["top".into(), "side".into()]);
        assert_eq!(text.lines().count(), 1 + 2 * (STATUS.len() + 2));
        assert!(text.contains("side_PartNumber,105,2,4,read,") && text.contains("side_Control,140,1,6,write,"));
    }
}
