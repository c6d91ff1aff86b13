//! Parsing, of what the parser can be given without harm.

use minijinja::Error;
use minijinja::machinery::{Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::compile::compile;
use super::fault::Faulty;
use super::syntax::Program;

/// The most bytes of a template.
const LONGEST: usize = 256 << 10;
/// The most tokens of a tag. The parser recurses for some of them without a bound of its own; vendors' longest tags have a hundred.
const TOKENS: usize = 600;
/// How deep brackets may be nested within a tag.
const BRACKETS: usize = 30;
/// The most `elif`, since the parser takes each for an `if` within the last.
const ALTERNATIVES: usize = 300;

/// How line breaks around tags of statements are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// They are text, as in Jinja by default.
    Plain,
    /// `trim_blocks` and `lstrip_blocks`, as in Hugging Face's environment.
    Trimmed,
}

impl Program {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`Faulty`] with the line, if it is no template, is longer or more deeply nested than is taken, or calls a filter or a test that there is not.
    pub fn compile(source: &str, blocks: Blocks) -> Result<Self, Faulty> {
        if source.len() > LONGEST {
            let message = format!("a template has at most {LONGEST} bytes");
            return Err(Faulty::new(1, message));
        }
        let trims = blocks == Blocks::Trimmed;
        let mut syntax = SyntaxConfig::builder();
        let syntax = syntax.trim_blocks(trims).lstrip_blocks(trims).build();
        let syntax = syntax.map_err(|fault| faulty(&fault))?;
        check_tokens(source, &syntax)?;
        let parsed = parse(source, "template", syntax).map_err(|fault| faulty(&fault))?;
        compile(&parsed)
    }
}

fn faulty(fault: &Error) -> Faulty {
    let kind = fault.kind();
    let message = fault
        .detail()
        .map_or_else(|| kind.to_string(), str::to_owned);
    Faulty::new(fault.line().unwrap_or(1), message)
}

/// Refuses what the parser would recurse into too deep.
fn check_tokens(source: &str, syntax: &SyntaxConfig) -> Result<(), Faulty> {
    let (mut tokens, mut brackets, mut alternatives) = (0, 0usize, 0);
    for token in tokenize(source, false, syntax.clone()) {
        // The parser tells such a fault better, and gets no further than this.
        let Ok((token, span)) = token else { break };
        tokens += 1;
        match token {
            Token::BlockStart | Token::VariableStart => (tokens, brackets) = (1, 0),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => brackets += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                brackets = brackets.saturating_sub(1);
            }
            Token::Ident("elif") => alternatives += 1,
            _ => {}
        }
        let message = if tokens > TOKENS {
            format!("a tag has more than {TOKENS} words and signs")
        } else if brackets > BRACKETS {
            format!("brackets are nested more than {BRACKETS} deep")
        } else if alternatives > ALTERNATIVES {
            format!("a template has more than {ALTERNATIVES} elif")
        } else {
            continue;
        };
        return Err(Faulty::new(span.start_line.into(), message));
    }
    Ok(())
}
