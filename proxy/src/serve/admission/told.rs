//! What a client is told of its limits.

use http::{HeaderName, HeaderValue, Response};

use crate::access::limits::Reservation;
use crate::access::usage::Meter;
use crate::serve::body::Body;

/// What is left of limits, for those that ask to be told; none where none applies.
pub(crate) fn left(meter: &Meter) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let all = meter.reservations();
    let applies = all.iter().any(Reservation::applies);
    applies.then(|| Reservation::headers_of(all))
}

/// What the names of headers begin with in which vendors tell of their limits.
const VENDORS: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];

/// A reply that tells what is left of limits, where one applies: in place of all that the upstream tells of our key's.
pub(crate) fn telling(
    mut response: Response<Body>,
    left: Option<Vec<(HeaderName, HeaderValue)>>,
) -> Response<Body> {
    let Some(left) = left else {
        return response;
    };
    let headers = response.headers_mut();
    let names = headers.keys().filter(|name| {
        let name = name.as_str();
        VENDORS.iter().any(|prefix| name.starts_with(prefix))
    });
    let names: Vec<HeaderName> = names.cloned().collect();
    for name in names {
        headers.remove(name);
    }
    headers.reserve(left.len());
    headers.extend(left);
    response
}
