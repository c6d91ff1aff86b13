//! Who is calling.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

/// A user that a policy knows.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The claims of its token, where it came with a JSON Web Token.
    pub claims: Option<Map<String, Value>>,
}

/// Who sends a request, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client's address, as far as trusted proxies tell it. IPv4 is never mapped into IPv6 here.
    pub address: IpAddr,
    /// Who it is; absent: nobody in particular.
    pub user: Option<Arc<User>>,
    /// SHA-256 of the token that says so, or of issuer and subject of a JSON Web Token.
    pub key: Option<[u8; 32]>,
}
