//! What the operator says of resources. Pure: facts in, status out; [`write()`] and [`tell()`] alone talk to
//! the API server.

mod backend;
mod draft;
mod health;
mod log;
mod map;
mod mapper;
mod news;
mod policy;
mod programmed;
mod proxy;
mod route;
mod write;

pub use backend::backend;
pub use draft::{Draft, is_urgent, normal, ready_of};
pub use health::{Health, Merged, Upstream};
pub use log::Rows;
pub use map::map;
pub use mapper::mapper;
pub use news::{News, tell};
pub use policy::{Sharing, policy};
pub use programmed::Standing;
pub use proxy::{Proxies, proxy};
pub use route::{Backend, RouteFacts, route};
pub use write::{Written, write};
