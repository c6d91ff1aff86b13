//! Amazon Bedrock's runtime.
//!
//! Source: [the runtime's operations](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html), and its
//! service model in botocore. Its streams are AWS event streams ([`crate::framing::event_stream`]).
//!
//! - [`invoke`]: a model's own bodies: Anthropic's.
//! - [`text`]: Claude 2's text completions, through `invoke` too.
//! - [`converse`]: the bodies that are the same for every model.
//! - [`error`]: errors and exceptions of both.

pub mod converse;
pub mod error;
pub mod invoke;
pub mod text;

pub use converse::Converse;
pub use invoke::Invoke;
pub use text::Text;
