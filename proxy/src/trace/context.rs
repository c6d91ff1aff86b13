//! Where a request stands among others that caused it.
//!
//! Source: [W3C Trace Context](https://www.w3.org/TR/trace-context/), `traceparent` and `tracestate`.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::RngCore as _;

use super::Sampler;

const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");
/// The length of a `traceparent` of the only version that there is.
const LENGTH: usize = 55;

/// What a client says that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
    pub(super) sampled: bool,
}

impl Parent {
    /// Reads what headers say; none where they say nothing that holds.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(PARENT).iter();
        let text = lines.next()?.as_bytes();
        if lines.next().is_some() {
            return None;
        }
        let (known, more) = text.split_at_checked(LENGTH)?;
        let version = known.get(..2)?;
        let goes_on = match version {
            b"ff" => return None,
            b"00" => more.is_empty(),
            // What later versions add follows another hyphen.
            _ => more.is_empty() || more[0] == b'-',
        };
        let hyphens = [2, 35, 52].iter().all(|at| known[*at] == b'-');
        hex::<1>(version)?;
        let [flags] = hex::<1>(&known[53..])?;
        let parent = Self {
            trace: hex(&known[3..35])?,
            span: hex(&known[36..52])?,
            sampled: flags & 1 == 1,
        };
        let is_whole = goes_on && hyphens && parent.trace != [0; 16] && parent.span != [0; 8];
        is_whole.then_some(parent)
    }
}

/// A request's place in a trace.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(super) trace: [u8; 16],
    pub(super) span: [u8; 8],
    /// The client's.
    pub(super) parent: Option<[u8; 8]>,
    /// Whether spans are made of it.
    pub(super) sampled: bool,
    /// The tries of backends, and when each began.
    pub(super) tries: Vec<([u8; 8], Duration)>,
}

impl Traced {
    /// Of a request with these headers.
    pub(crate) fn begin(headers: &HeaderMap, sampler: &Sampler) -> Box<Self> {
        let parent = Parent::read(headers);
        let trace = parent.map_or_else(random, |parent| parent.trace);
        Box::new(Self {
            trace,
            span: random(),
            parent: parent.map(|parent| parent.span),
            sampled: sampler.samples(&trace, parent.map(|parent| parent.sampled)),
            tries: Vec::new(),
        })
    }

    /// A backend is tried, which is told in `headers`.
    pub(crate) fn try_next(&mut self, headers: &mut HeaderMap, from: Duration) {
        let span = random();
        self.tries.push((span, from));
        let flags = u8::from(self.sampled);
        let told = format!("00-{}-{}-{flags:02x}", shown(&self.trace), shown(&span));
        if let Ok(told) = HeaderValue::try_from(told) {
            headers.insert(PARENT, told);
        }
        if self.parent.is_none() {
            // It belongs to a parent that does not hold.
            headers.remove(STATE);
        }
    }

    /// The trace's id, where spans are made.
    pub(crate) fn id(&self) -> Option<String> {
        self.sampled.then(|| shown(&self.trace))
    }
}

/// Random bytes that are not all zero, which stands for none.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    while bytes == [0; N] {
        rand::rng().fill_bytes(&mut bytes);
    }
    bytes
}

/// Lower-case hexadecimal, which is all that a `traceparent` may be written in.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn headers(lines: &[&str]) -> HeaderMap {
        let pairs = lines
            .iter()
            .map(|line| (PARENT, HeaderValue::from_str(line).unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_parent_is_read_as_the_standard_has_it() {
        for (lines, sampled) in [
            (vec![format!("00-{TRACE}-{SPAN}-01")], Some(true)),
            (vec![format!("00-{TRACE}-{SPAN}-00")], Some(false)),
            (vec![format!("cc-{TRACE}-{SPAN}-03-more")], Some(true)),
            (vec![format!("cc-{TRACE}-{SPAN}-03more")], None),
            (vec![format!("ff-{TRACE}-{SPAN}-01")], None),
            (vec![format!("00-{TRACE}-{SPAN}-01-")], None),
            (vec![format!("00-{}-{SPAN}-01", TRACE.to_uppercase())], None),
            (vec![format!("00-{}-{SPAN}-01", "0".repeat(32))], None),
            (vec![format!("00-{TRACE}-{}-01", "0".repeat(16))], None),
            (vec![format!("00_{TRACE}-{SPAN}-01")], None),
            (vec![format!("00-{TRACE}-{SPAN}-01"); 2], None),
            (vec!["00".to_owned()], None),
            (vec![], None),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let read = Parent::read(&headers(&lines));
            assert_eq!(read.map(|parent| parent.sampled), sampled, "{lines:?}");
        }
    }

    #[test]
    fn backends_are_told_a_span_of_ours_in_the_clients_trace() {
        let mut headers = headers(&[&format!("00-{TRACE}-{SPAN}-01")]);
        headers.insert(STATE, HeaderValue::from_static("a=b"));
        let mut traced = Traced::begin(&headers, &Sampler::default());
        let mut told = Vec::new();
        for _ in 0..2 {
            traced.try_next(&mut headers, Duration::ZERO);
            told.push(headers[PARENT].to_str().unwrap().to_owned());
        }
        assert!(told[0] != told[1] && headers[STATE] == "a=b");
        for told in told {
            let is_ours = told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-01");
            assert!(is_ours && !told.contains(SPAN), "{told}");
        }
    }

    #[test]
    fn a_state_without_a_parent_that_holds_goes_no_further() {
        let mut headers = headers(&["00-nonsense"]);
        headers.insert(STATE, HeaderValue::from_static("a=b"));
        let mut traced = Traced::begin(&headers, &Sampler::default());
        traced.try_next(&mut headers, Duration::ZERO);
        assert!(headers.get(STATE).is_none() && traced.parent.is_none());
        assert!(Parent::read(&headers).is_some());
    }
}
