//! What does not fit, and when it does.

use dragoman_config::{CountedItem, LimitItem, SpanItem};

use super::{Request, ask, at_once, policy, requests, within};
use crate::access::limits::Counters;

#[test]
fn what_never_fits_is_told_so() {
    let counters = Counters::new();
    let limits = policy(&[within(CountedItem::Tokens, 100)]);
    let request = Request {
        tokens: 101,
        ..Request::default()
    };
    let full = ask(&counters, &[&limits], &request).unwrap_err();
    assert!(
        full.message
            .contains("this request alone may take 101 tokens"),
        "{full}"
    );
    assert_eq!(full.retry_after, None);
}

#[test]
fn of_several_full_limits_the_one_that_takes_longest_says_when_to_come_again() {
    let counters = Counters::new();
    let window = |most, milliseconds| LimitItem {
        amount: Some((CountedItem::Requests, most, SpanItem::Window(milliseconds))),
        ..requests(0)
    };
    // Whichever comes first by its digest.
    let all: Vec<_> = (1..9).map(|minutes| window(1, minutes * 60_000)).collect();
    let limits = policy(&[all, vec![at_once(1)]].concat());
    let held = ask(&counters, &[&limits], &Request::default()).unwrap();
    let full = ask(&counters, &[&limits], &Request::default()).unwrap_err();
    assert!(full.retry_after > Some(470), "{full}");
    assert!(full.message.contains("480s"), "{full}");
    drop(held);
    let never = policy(&[requests(1), within(CountedItem::Tokens, 100)]);
    let request = Request {
        tokens: 101,
        ..Request::default()
    };
    drop(ask(&counters, &[&policy(&[requests(1)])], &Request::default()).unwrap());
    let full = ask(&counters, &[&never], &request).unwrap_err();
    assert!(full.message.contains("this request alone"), "{full}");
    assert_eq!(full.retry_after, None);
}
