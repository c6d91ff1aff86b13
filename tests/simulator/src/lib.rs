//! A deterministic LLM for tests: the APIs of OpenAI, Azure OpenAI, Anthropic, Ollama, Gemini,
//! Amazon Bedrock and Text Generation Inference, and a model name that says how it behaves.
//!
//! Under `/v1`, as OpenAI: chat completions, completions, responses, embeddings, models; simple valid replies of
//! images, speech, transcriptions, moderations, rerank and files. As Anthropic: `/v1/messages` and its
//! `count_tokens`, and the models where a request carries `anthropic-version`. As Ollama, below `/api`:
//! chat, generate, embed, embeddings, tags, show, ps, version. As Azure OpenAI, below `/openai`:
//! deployments and the v1 API. As Text Generation Inference, below `/tgi/MODEL`: generate,
//! generate_stream, info, health. As Gemini, below `/v1beta`: generateContent, streamGenerateContent,
//! countTokens, embedContent, batchEmbedContents, models. As Amazon Bedrock, below `/model`: converse
//! and invoke, and their streams.
//!
//! Bodies that these servers refuse are refused in their words, shape and status. Ids count up, times
//! stand still, usage counts words: the same requests get the same replies. What was received is kept
//! ([`KEPT`] requests) for tests to look at.
//!
//! ```
//! # async fn example() -> Result<(), dragoman_simulator::StartError> {
//! let simulator = dragoman_simulator::Simulator::builder().models(["llama3-8b"]).start().await?;
//! let base_url = simulator.url();
//! // … call it …
//! let seen = simulator.wait_until(|requests| requests.len() == 1).await;
//! assert_eq!(seen[0].header("authorization"), None);
//! # Ok(()) }
//! ```
//!
//! # Words
//!
//! A model name is words joined by `+`: `think+token-20ms+cut-5`. A name that is not made of these
//! words alone answers as `echo` does.
//!
//! ```text
#![doc = include_str!("words.txt")]
//! ```

mod answer;
mod anthropic;
mod azure;
mod bedrock;
mod call;
mod check;
mod control;
mod dialect;
mod endpoints;
mod faults;
mod gemini;
mod ollama;
mod openai;
mod record;
mod refusal;
mod reply;
mod server;
mod service;
mod shared;
mod tgi;
mod wire;
mod words;

pub use anthropic::signature;
pub use record::{BODY, KEPT, Received, State, Stats};
pub use server::{Builder, Simulator, StartError};
pub use words::{Answer, Behaviour, Fault, Filter, Gzip, Hops, Redirect, Source, Wire};

/// The table of all model words and control paths, as `--help` prints it.
pub const WORDS: &str = include_str!("words.txt");
