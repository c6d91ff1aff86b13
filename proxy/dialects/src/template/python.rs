//! What Hugging Face's templates have beyond Jinja.

/// Replaces `{% generation %}`, by which templates mark for training what the model says, by a block that changes nothing.
pub(super) fn without_generation_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end);
        let word = tag.trim_start_matches(['{', '%', '-', '+']).trim();
        match word.trim_end_matches(['-', '+']).trim_end() {
            word @ "generation" => out.push_str(&tag.replacen(word, "if true", 1)),
            word @ "endgeneration" => out.push_str(&tag.replacen(word, "endif", 1)),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
