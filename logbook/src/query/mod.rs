//! Questions to the log: lists, one request, and what charts show. The answers are the same whichever database they come from.

mod filter;
mod namespaces;
mod page;
mod search;
mod slices;
mod sql;
mod stats;
mod tally;

pub use filter::{Filter, Status};
pub use page::{Columns, LARGEST_PAGE, Page};
pub use stats::{Dimension, Figures, Overview, Percentiles, Point, Top};
