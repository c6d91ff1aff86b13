//! Stops: trims from replies the text at which they end, and all that follows.
//!
//! Servers that take plain prompts (TGI among them) leave a stop in the text that it ends, and some miss one that lies inside a
//! token. A stop of the client's is told as such ([`Finish::StopSequence`]); one of a template is the model's own end.
//!
//! - `find`: where a stop is, or may begin.
//! - `stream`: a stop that is split over the pieces of a stream.

mod find;
mod stream;

use crate::codec::StreamReader;
use crate::form::{Finish, Part, Reply};

/// The texts at which a reply ends.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    /// Each, and whether it is the client's.
    all: Vec<(String, bool)>,
}

impl Stops {
    /// The client's stops and a template's. Empty ones are none.
    #[must_use]
    pub fn new(client: &[String], template: &[String]) -> Self {
        let own = template.iter().filter(|stop| !client.contains(stop));
        let all = client
            .iter()
            .map(|stop| (stop, true))
            .chain(own.map(|stop| (stop, false)));
        let all = all.filter(|(stop, _)| !stop.is_empty());
        Self {
            all: all.map(|(stop, client)| (stop.clone(), client)).collect(),
        }
    }

    /// Whether there are none, and nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Trims a whole reply.
    pub fn trim(&self, reply: &mut Reply) {
        for choice in &mut reply.choices {
            let mut ended = None;
            choice.parts.retain_mut(|part| {
                let Part::Text { text, .. } = part else {
                    return true;
                };
                if ended.is_some() {
                    return false;
                }
                if let Some((at, stop)) = find::first(&self.all, text) {
                    text.truncate(at);
                    ended = Some(self.finish(stop));
                }
                !text.is_empty()
            });
            choice.finish = ended.or(choice.finish.take());
        }
    }

    /// Trims a stream while it is read. At most a stop's length of text is held back.
    #[must_use]
    pub fn reader(self, inner: Box<dyn StreamReader>) -> Box<dyn StreamReader> {
        if self.is_empty() {
            return inner;
        }
        Box::new(stream::Trimmed::new(inner, self))
    }

    /// The end that a stop is.
    fn finish(&self, stop: usize) -> Finish {
        match self.all.get(stop) {
            Some((text, true)) => Finish::StopSequence(Some(text.clone())),
            _ => Finish::Stop,
        }
    }
}
