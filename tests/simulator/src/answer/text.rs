//! Texts of an asked length, and texts in pieces that join to the very same.

/// Words, as white space parts them.
pub(crate) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// `count` words, each another.
pub(crate) fn tokens(count: usize) -> String {
    let mut text = String::with_capacity(count * 8);
    for index in 0..count {
        if index > 0 {
            text.push(' ');
        }
        text.push_str("word");
        text.push_str(&index.to_string());
    }
    text
}

/// `count` bytes of eight-byte words.
pub(crate) fn bytes(count: usize) -> String {
    "simulat ".chars().cycle().take(count).collect()
}

/// The text up to the first of `stops`, and which that is.
pub(crate) fn until(mut text: String, stops: &[String]) -> (String, Option<&String>) {
    let found = stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| Some((text.find(stop)?, stop)));
    let first = found.min_by_key(|(at, _)| *at);
    if let Some((end, _)) = first {
        text.truncate(end);
    }
    (text, first.map(|(_, stop)| stop))
}

/// The first `limit` words, and whether any were left out.
pub(crate) fn at_most(mut text: String, limit: Option<usize>) -> (String, bool) {
    let Some(limit) = limit else {
        return (text, false);
    };
    let end = ends(&text).nth(limit.saturating_sub(1));
    match end {
        Some(end) if words(&text[end..]) > 0 => {
            text.truncate(end);
            (text, true)
        }
        _ => (text, false),
    }
}

/// Cuts the text into pieces: `size` characters each, or a word with the white space before it.
pub(crate) fn pieces(text: &str, size: Option<usize>) -> Vec<String> {
    let mut cuts: Vec<usize> = match size {
        Some(size) => text
            .char_indices()
            .map(|(at, _)| at)
            .step_by(size)
            .skip(1)
            .collect(),
        None => ends(text).collect(),
    };
    if size.is_none() && text[cuts.last().copied().unwrap_or(0)..].trim().is_empty() {
        // What trails the last word stays with it.
        cuts.pop();
    }
    cuts.push(text.len());
    let mut start = 0;
    let mut pieces = Vec::with_capacity(cuts.len());
    for cut in cuts {
        if cut > start {
            pieces.push(text[start..cut].to_owned());
        }
        start = cut;
    }
    pieces
}

/// Where each word ends.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    let mut inside = false;
    let ends = text.char_indices().filter_map(move |(at, letter)| {
        let ended = inside && letter.is_whitespace();
        inside = !letter.is_whitespace();
        ended.then_some(at)
    });
    ends.chain((!text.is_empty() && !text.ends_with(char::is_whitespace)).then_some(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_very_text() {
        for text in [
            "",
            " ",
            "one",
            " two  words\n",
            "ünï\r\n\tcödé 🦀🦀 x",
            "\n\na b \n",
        ] {
            for size in [None, Some(1), Some(2), Some(5), Some(100)] {
                let pieces = pieces(text, size);
                assert_eq!(pieces.concat(), text);
                assert!(pieces.iter().all(|piece| !piece.is_empty()));
            }
        }
        assert_eq!(pieces("a  b c\n", None), ["a", "  b", " c\n"]);
        assert_eq!(pieces("añ🦀b", Some(2)), ["añ", "🦀b"]);
    }

    #[test]
    fn lengths_are_exact() {
        assert_eq!(words(&tokens(64)), 64);
        assert_eq!(bytes(1000).len(), 1000);
        assert_eq!(at_most("a b  c d".into(), Some(3)), ("a b  c".into(), true));
        assert_eq!(at_most("a b c ".into(), Some(3)), ("a b c ".into(), false));
    }
}
