//! What pages of other origins may do: `spec.cors`.

use std::time::Duration;

use dragoman_crds::Cors;

use super::Findings;
use crate::CorsItem;

const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];
const MAX_AGE: Duration = Duration::from_mins(10);
/// Browsers keep nothing longer.
const LONGEST: Duration = Duration::from_hours(24);

pub(super) fn cors(spec: &Cors, findings: &mut Findings) -> CorsItem {
    let field = "spec.cors.maxAge";
    let max_age = match spec.max_age.as_ref().map(dragoman_crds::Duration::parse) {
        None => MAX_AGE,
        Some(Ok(age)) if age <= LONGEST => age,
        Some(Ok(_)) => {
            findings.invalid(field, "must be at most 24h");
            MAX_AGE
        }
        Some(Err(fault)) => {
            findings.invalid(field, fault);
            MAX_AGE
        }
    };
    let methods = spec.allow_methods.clone();
    let headers = spec.allow_headers.as_ref();
    CorsItem {
        origins: spec.allow_origins.clone(),
        headers: headers.map(|names| names.iter().map(|name| name.to_ascii_lowercase()).collect()),
        methods: methods.unwrap_or_else(|| METHODS.map(str::to_owned).to_vec()),
        max_age: u32::try_from(max_age.as_secs()).unwrap_or(u32::MAX),
    }
}
