//! The request log: what is recorded of each request, where it is kept, and how it is asked.
//!
//! This crate knows no proxy. A proxy fills [`record::Record`]s and offers them to a [`writer::Writer`], which never makes it wait;
//! the writer hands batches to a [`store::Store`], and [`query`] reads them back. Where proxies have no store of
//! their own, [`ship`] brings batches to the one that there is. [`replay`] gives a reply once more to whoever got it. [`web`] is how people and programs ask.

pub mod fault;
pub mod query;
pub mod record;
pub mod replay;
pub mod ship;
pub mod spool;
pub mod store;
pub mod web;
pub mod writer;
