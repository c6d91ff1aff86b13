//! Events on their way to the client: thinking treated as the route says, then written in the client's dialect.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_dialects::form::event::CHOICES;
use dragoman_dialects::form::{Estimate, Event, Failure, Telling, Untold};
use dragoman_dialects::{Context, Rope, StreamWriter};
use jiff::Timestamp;

use crate::access::response::{Stopped, StreamJudge};
use crate::access::usage::Meter;
use crate::think::{Pieces, Rules, Stripper};

/// How long a client hears nothing while thinking is hidden from it: less than what stands between waits for, which is a minute mostly.
const SILENCE: Duration = Duration::from_secs(15);

/// What becomes of thinking on the way.
#[derive(Clone, Debug)]
pub struct Thinking {
    /// What counts as thinking in the text, and whether fields of it are dropped.
    pub rules: Arc<Rules>,
    /// Whether the client is shown reasoning at all.
    pub shown: bool,
}

/// Writes events, in the client's dialect.
pub struct Sink {
    writer: Box<dyn StreamWriter>,
    thinking: Thinking,
    /// One for each choice that had text, by index; readers give [`CHOICES`] at most.
    strippers: Vec<Option<Stripper>>,
    /// The model to name, instead of the upstream's.
    model: Option<String>,
    /// What an upstream's error may say to a client.
    mask: Option<Mask>,
    /// What counts the tokens that events tell of.
    meter: Option<Meter>,
    /// The rules that its text goes through.
    judge: Option<StreamJudge>,
    /// Why rules ended it.
    stopped: Option<Stopped>,
    /// Whether rules have let something pass that a model said.
    said: bool,
    /// What is counted for an upstream that does not; none once it has.
    estimate: Option<Estimate>,
    telling: Telling,
    /// What the client cannot be told: nothing but an error follows.
    untold: Option<Untold>,
    ended: bool,
    /// Since when thinking is hidden, or the client was last told that it goes on.
    quiet: Option<Instant>,
    /// How often it is told.
    silence: Duration,
}

/// Takes secrets out of a text.
type Mask = Box<dyn Fn(&str) -> String + Send>;

impl Sink {
    /// A sink at the start of a stream. `model` replaces the name that the upstream gives.
    #[must_use]
    pub fn new(writer: Box<dyn StreamWriter>, thinking: Thinking, model: Option<String>) -> Self {
        Self {
            writer,
            thinking,
            strippers: Vec::new(),
            model,
            mask: None,
            meter: None,
            judge: None,
            stopped: None,
            said: false,
            estimate: None,
            telling: Telling::default(),
            untold: None,
            ended: false,
            quiet: None,
            silence: SILENCE,
        }
    }

    /// A sink that tells of hidden thinking at once.
    #[cfg(test)]
    #[must_use]
    pub(super) fn impatient(mut self) -> Self {
        self.silence = Duration::ZERO;
        self
    }

    /// With what takes secrets out of an upstream's error before the client is told it.
    #[must_use]
    pub fn masking(mut self, mask: impl Fn(&str) -> String + Send + 'static) -> Self {
        self.mask = Some(Box::new(mask));
        self
    }

    /// With what counts the tokens that events tell of.
    #[must_use]
    pub fn metered(mut self, meter: Option<Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// With rules that its text goes through.
    #[must_use]
    pub fn judged(mut self, judge: Option<StreamJudge>) -> Self {
        self.judge = judge;
        self
    }

    /// Why rules ended the stream.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// Whether rules have let something pass that a model said.
    #[must_use]
    pub fn has_said(&self) -> bool {
        self.said
    }

    /// With an estimate of usage, of the request so far, for an upstream that says none.
    #[must_use]
    pub fn estimating(mut self, estimate: Option<Estimate>) -> Self {
        self.estimate = estimate;
        self
    }

    /// Whether the stream has had its end, good or bad. Nothing is written after it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What of the answer the client's dialect has no place for, where it cannot go without.
    #[must_use]
    pub fn untold(&self) -> Option<&Untold> {
        self.untold.as_ref()
    }

    /// How many bytes of the answer the client's dialect wants kept until later.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.writer.kept()
    }

    /// Takes an event, and appends to `out` what the client is sent for it.
    pub fn take(&mut self, event: Event<'_>, out: &mut Rope) {
        let failed = matches!(event, Event::Failed(_));
        if self.ended || (self.untold.is_some() && !failed) {
            return;
        }
        if let Some(meter) = &mut self.meter {
            meter.event(&event);
        }
        if let Some(estimate) = &mut self.estimate {
            estimate.event(&event);
        }
        if let Err(untold) = self.telling.event(&event) {
            self.untold = Some(untold);
            return;
        }
        match event {
            Event::Part { choice, part } => {
                let place = self.writer.has_place_for(&part);
                match self.telling.part(&part, place) {
                    Err(untold) => self.untold = Some(untold),
                    Ok(()) if place => {
                        self.flush(choice, out);
                        self.write(Event::Part { choice, part }, out);
                    }
                    Ok(()) => {}
                }
            }
            Event::Text {
                choice,
                text,
                logprobs,
            } => self.text(choice, text, logprobs, out),
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ReasoningEncrypted { .. }
                if !self.shows_fields() =>
            {
                self.hid(out);
            }
            // Nothing leaves before rules let something pass.
            Event::Ping if self.judge.is_some() && !self.said => {}
            Event::ToolStart { choice, .. } | Event::Finish { choice, .. } => {
                self.flush(choice, out);
                self.write(event, out);
            }
            Event::Start {
                id,
                model,
                created,
                usage,
            } => {
                let model = match &self.model {
                    Some(model) => Some(Cow::Owned(model.clone())),
                    None => model,
                };
                let start = Event::Start {
                    id,
                    model,
                    created,
                    usage,
                };
                self.write(start, out);
            }
            Event::Done | Event::Failed(_) => {
                for choice in 0..self.strippers.len() {
                    self.flush(u32::try_from(choice).unwrap_or(u32::MAX), out);
                }
                if let (Event::Done, Some(estimate)) = (&event, &self.estimate) {
                    self.write(Event::Usage(estimate.usage()), out);
                }
                let event = self.masked(event);
                self.write(event, out);
                self.ended = true;
            }
            Event::Usage(said) => {
                let estimate = self.estimate.take();
                let said = estimate.map_or(said, |estimate| estimate.complete(said));
                if !said.lacks_input() {
                    self.write(Event::Usage(said), out);
                }
            }
            other => self.write(other, out),
        }
    }

    /// Ends the stream with an error.
    pub fn fail(&mut self, failure: Failure, out: &mut Rope) {
        self.take(Event::Failed(failure), out);
    }

    fn masked<'a>(&self, event: Event<'a>) -> Event<'a> {
        match (event, &self.mask) {
            (Event::Failed(mut failure), Some(mask)) => {
                failure.message = mask(&failure.message);
                Event::Failed(failure)
            }
            (event, _) => event,
        }
    }

    fn shows_fields(&self) -> bool {
        self.thinking.shown && !self.thinking.rules.drops_fields()
    }

    fn text(
        &mut self,
        choice: u32,
        text: Cow<'_, str>,
        logprobs: Option<serde_json::Value>,
        out: &mut Rope,
    ) {
        if self.thinking.rules.keeps_text() {
            let event = Event::Text {
                choice,
                text,
                logprobs,
            };
            return self.write(event, out);
        }
        let Some(stripper) = self.stripper(choice) else {
            return;
        };
        let pieces = stripper.push(&text);
        // Logprobs would spell out what was stripped.
        let logprobs = logprobs.filter(|_| !pieces.removed);
        let (visible, reasoning) = (pieces.visible, pieces.reasoning);
        let silent = visible.is_empty() && logprobs.is_none();
        if silent && pieces.removed && (reasoning.is_empty() || !self.thinking.shown) {
            self.hid(out);
        }
        self.reasoning(choice, reasoning, out);
        if !silent {
            let event = Event::Text {
                choice,
                text: visible,
                logprobs,
            };
            self.write(event, out);
        }
    }

    /// Something was hidden: the client is told now and then that its answer is under way.
    fn hid(&mut self, out: &mut Rope) {
        let now = Instant::now();
        if now.duration_since(*self.quiet.get_or_insert(now)) >= self.silence {
            self.quiet = Some(now);
            self.take(Event::Ping, out);
        }
    }

    fn reasoning(&mut self, choice: u32, text: Cow<'_, str>, out: &mut Rope) {
        if !text.is_empty() && self.thinking.shown {
            self.write(Event::Reasoning { choice, text }, out);
        }
    }

    fn stripper(&mut self, choice: u32) -> Option<&mut Stripper> {
        let at = usize::try_from(choice).ok().filter(|at| *at < CHOICES)?;
        if self.strippers.len() <= at {
            self.strippers.resize_with(at + 1, || None);
        }
        let rules = &self.thinking.rules;
        let slot = self.strippers.get_mut(at)?;
        Some(slot.get_or_insert_with(|| Stripper::new(Arc::clone(rules))))
    }

    /// Passes on what is held back of a choice's text: nothing more comes that could make a tag of it.
    fn flush(&mut self, choice: u32, out: &mut Rope) {
        let at = usize::try_from(choice).unwrap_or(CHOICES);
        let Some(Some(stripper)) = self.strippers.get_mut(at) else {
            return;
        };
        let Pieces {
            visible, reasoning, ..
        } = stripper.finish();
        self.reasoning(choice, reasoning, out);
        if !visible.is_empty() {
            let event = Event::Text {
                choice,
                text: visible,
                logprobs: None,
            };
            self.write(event, out);
        }
    }

    fn write(&mut self, event: Event<'_>, out: &mut Rope) {
        if self.ended {
            return;
        }
        let writer = &mut self.writer;
        let Some(judge) = &mut self.judge else {
            return writer.share(event, &Timestamp::now, out);
        };
        let mut said = false;
        let mut give = |event: Event<'_>| {
            said |= !matches!(event, Event::Start { .. } | Event::Usage(_) | Event::Ping);
            writer.share(event, &Timestamp::now, out);
        };
        let judged = judge.take(event, &mut give);
        self.said |= said;
        if let Err(stopped) = judged {
            let failed = Event::Failed(stopped.failure());
            writer.share(failed, &Timestamp::now, out);
            self.ended = true;
            // Of what nobody could judge, nothing was delivered.
            if let (Stopped::Unjudged(_), false, Some(meter)) =
                (&stopped, self.said, &mut self.meter)
            {
                meter.refund();
            }
            self.stopped = Some(stopped);
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("thinking", &self.thinking)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Whether a client that did not ask for reasoning may be shown it all the same: in dialects where it stands in a field of its own, which
/// nobody has to read. Elsewhere it is a block among the others, and a client that takes the first for the text would break.
#[must_use]
pub fn shows_reasoning(wire: dragoman_dialects::Wire, context: &Context) -> bool {
    use dragoman_dialects::Wire;
    let beside = matches!(
        wire,
        Wire::Chat | Wire::ConversationChat | Wire::OllamaChat | Wire::OllamaGenerate
    );
    context.reasoning || beside
}

/// Whether usage that an upstream does not say is estimated for clients of this dialect: where it always has a place, and one to say that it was
/// estimated. Elsewhere it is left out.
#[must_use]
pub fn wants_usage(wire: dragoman_dialects::Wire) -> bool {
    use dragoman_dialects::Wire;
    match wire {
        Wire::Chat
        | Wire::Completions
        | Wire::ConversationChat
        | Wire::Responses
        | Wire::Messages
        | Wire::BedrockInvoke
        | Wire::BedrockConverse
        | Wire::OllamaChat
        | Wire::OllamaGenerate
        | Wire::Tgi => true,
        Wire::BedrockText | Wire::Conversation | Wire::Gemini => false,
    }
}
