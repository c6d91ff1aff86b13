//! Images within a prompt: markdown, from which TGI's models that see take them.
//!
//! Source: [vision language models](https://huggingface.co/docs/text-generation-inference/basic_tutorials/visual_language_models).

use crate::form::Source;

/// The page that says so.
pub(crate) const PAGE: &str =
    "https://huggingface.co/docs/text-generation-inference/basic_tutorials/visual_language_models";

/// Appends an image to a prompt.
///
/// # Errors
/// What to do about it, if it cannot stand in one.
pub(crate) fn push(source: &Source, prompt: &mut String) -> Result<(), &'static str> {
    let pieces: [&str; 4] = match source {
        // The first bracket that closes ends it.
        Source::Url(url)
            if !url.contains(|letter: char| letter == ')' || letter.is_whitespace()) =>
        {
            ["", url, "", ""]
        }
        Source::Url(_) => return Err("write `)` and spaces in its URL as %29 and %20."),
        Source::Inline { media_type, data } => {
            let media_type = media_type.as_deref().or_else(|| data.sniff());
            let media_type = media_type.ok_or("say its media type.")?;
            ["data:", media_type, ";base64,", data.as_str()]
        }
        Source::File { .. } | Source::Text(_) => return Err("send its bytes."),
    };
    prompt.reserve(5 + pieces.iter().map(|piece| piece.len()).sum::<usize>());
    prompt.push_str("![](");
    for piece in pieces {
        prompt.push_str(piece);
    }
    prompt.push(')');
    Ok(())
}
