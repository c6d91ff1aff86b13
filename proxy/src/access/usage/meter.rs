//! A reservation on its way with a request, settled when the reply is over by what was seen of it.
//!
//! What a server says stands. Where it says nothing, because the client left or the server does not tell, the prompt counts by its estimate and the
//! reply by its text, a token for every four bytes. A request that failed before a model answered counts for nothing.

use dragoman_config::PriceItem;
use dragoman_dialects::form::{Event, Usage};

use super::estimate::BYTES;
use super::price::cost;
use crate::access::limits::{Reservation, Used};

/// Settles what is reserved for a request. Dropped, the request is over.
#[derive(Debug)]
pub struct Meter {
    reservations: Vec<Reservation>,
    /// Estimated tokens of the prompt.
    prompt: u64,
    price: PriceItem,
    said: Option<Usage>,
    /// Bytes of text that were seen.
    text: u64,
    /// Whether the reply came to its end.
    ended: bool,
    failed: bool,
}

impl Meter {
    /// For a request whose prompt has about `prompt` tokens.
    #[must_use]
    pub fn new(reservations: Vec<Reservation>, prompt: u64) -> Self {
        Self {
            reservations,
            prompt,
            price: PriceItem::default(),
            said: None,
            text: 0,
            ended: false,
            failed: false,
        }
    }

    /// Holds another reservation for the same request, such as a backend's.
    pub fn hold(&mut self, reservation: Reservation) {
        self.reservations.push(reservation);
    }

    /// What the model that answers costs. Until it is told, nothing.
    pub fn price(&mut self, price: PriceItem) {
        self.price = price;
    }

    /// Whether anything depends on what the model uses, so that its reply is to be looked into.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.reservations.iter().any(Reservation::counts_tokens)
    }

    /// What is reserved, for its headers.
    #[must_use]
    pub fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// No model has answered: nothing was used.
    pub fn refund(&mut self) {
        self.failed = true;
    }

    /// A server said so. Later figures stand, but for zeros: many servers tell one half at the start and the other at the end.
    pub fn said(&mut self, usage: &Usage) {
        let Some(before) = &mut self.said else {
            self.said = Some(*usage);
            return;
        };
        if usage.input > 0 {
            before.input = usage.input;
            before.cached_input = usage.cached_input.or(before.cached_input);
        }
        if usage.output > 0 {
            before.output = usage.output;
        }
    }

    /// So many bytes of the model's text have gone to the client.
    pub fn text(&mut self, bytes: u64) {
        self.text = self.text.saturating_add(bytes);
    }

    /// An event of a translated stream.
    pub fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Start {
                usage: Some(usage), ..
            }
            | Event::Usage(usage) => self.said(usage),
            Event::Text { text, .. }
            | Event::Reasoning { text, .. }
            | Event::Refusal { text, .. }
            | Event::ToolArguments { json: text, .. } => self.text(text.len() as u64),
            Event::Done => self.ended(),
            _ => {}
        }
    }

    /// The reply is complete.
    pub fn ended(&mut self) {
        self.ended = true;
    }

    /// What was used.
    fn used(&self) -> Used {
        if self.failed {
            return Used::default();
        }
        let text = self.text.div_ceil(BYTES);
        let usage = match self.said {
            Some(usage) if self.ended => usage,
            // What was told at the start says nothing of what followed.
            Some(usage) => Usage {
                output: usage.output.max(text),
                ..usage
            },
            None => Usage {
                output: text,
                ..Usage::default()
            },
        };
        let input = if usage.input == 0 {
            self.prompt
        } else {
            usage.input
        };
        let usage = Usage { input, ..usage };
        Used {
            tokens: usage.input.saturating_add(usage.output),
            cost: cost(&self.price, &usage),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let used = self.used();
        for reservation in &self.reservations {
            reservation.settle(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        let mut meter = Meter::new(Vec::new(), 100);
        meter.price(PriceItem {
            input: 1_000_000,
            cached_input: 500_000,
            output: 2_000_000,
        });
        meter
    }

    fn tokens(input: u64, output: u64) -> Usage {
        Usage {
            input,
            output,
            ..Usage::default()
        }
    }

    #[test]
    fn what_the_server_says_stands() {
        let mut meter = meter();
        meter.text(4000);
        meter.said(&tokens(70, 1));
        meter.said(&tokens(0, 20));
        meter.ended();
        let used = Used {
            tokens: 90,
            cost: 70 + 40,
        };
        assert_eq!(meter.used(), used);
    }

    #[test]
    fn a_reply_of_which_no_server_tells_counts_by_its_text() {
        let mut meter = meter();
        meter.text(41);
        assert_eq!(meter.used().tokens, 111);
        meter.ended();
        assert_eq!(meter.used().tokens, 111);
    }

    #[test]
    fn a_client_that_leaves_pays_for_what_it_got() {
        let mut meter = meter();
        assert_eq!(meter.used().tokens, 100);
        meter.said(&tokens(70, 1));
        meter.text(400);
        assert_eq!(meter.used().tokens, 170);
    }

    #[test]
    fn what_failed_counts_for_nothing() {
        let mut meter = meter();
        meter.refund();
        assert_eq!(meter.used(), Used::default());
    }
}
