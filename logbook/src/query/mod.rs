//! Questions to the log: lists, one request, and what charts show. The answers are the same whichever database they come from.

mod filter;
mod namespaces;
mod overview;
mod packed;
mod page;
mod sql;
mod stats;

pub use filter::{Filter, Status};
pub use overview::Overview;
pub use page::{Columns, LARGEST_PAGE, Page};
pub use stats::{Dimension, Figures, Percentiles, Point, Top};
