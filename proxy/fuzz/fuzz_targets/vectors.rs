//! Any bytes as a request or a reply for vectors, and for a count of tokens.
#![no_main]

use dragoman_dialects::anthropic::count;
use dragoman_dialects::gemini::{BatchEmbedContents, EmbedContent};
use dragoman_dialects::ollama::{Embed, Embeddings as OllamaEmbeddings};
use dragoman_dialects::openai::Embeddings;
use dragoman_dialects::{EmbeddingCodec, Path, Target, models};
use dragoman_fuzz::wires::{context, json};

const CODECS: [&dyn EmbeddingCodec; 5] = [
    &Embeddings,
    &Embed,
    &OllamaEmbeddings,
    &EmbedContent,
    &BatchEmbedContents,
];
const PATH: Path<'static> = Path {
    model: Some("m"),
    stream: None,
};
const TARGET: Target<'static> = Target {
    model: "m",
    stream: false,
};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for client in CODECS {
        if let Ok(request) = client.read_request(body, PATH) {
            for upstream in CODECS {
                match upstream.write_request(&request, TARGET) {
                    Ok(written) => {
                        json(&written);
                        let again = upstream.read_request(&written, PATH);
                        again.unwrap_or_else(|fault| {
                            panic!("{fault}: {}", String::from_utf8_lossy(&written))
                        });
                    }
                    Err(refused) => {
                        client.name_of(&refused.field);
                    }
                }
            }
        }
        if let Ok(reply) = client.read_reply(body) {
            for client in CODECS {
                for base64 in [false, true] {
                    json(&client.write_reply(&reply, base64, &context()));
                }
            }
        }
    }
    if let Ok(request) = count::read_request(body, PATH)
        && let Ok(written) = count::write_request(&request, TARGET)
    {
        count::read_request(&written, PATH)
            .expect("a request for a count is read as it was written");
    }
    if let Ok(tokens) = count::read_reply(body) {
        assert_eq!(count::read_reply(&count::write_reply(tokens)), Ok(tokens));
    }
    let _ = models::ollama::asked(body);
});
