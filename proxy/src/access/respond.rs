//! A reply in the model's place, in any client's dialect.

use std::borrow::Cow;

use dragoman_dialects::form::{Choice, Event, Finish, Malformed, Part, Reply, Usage};
use dragoman_dialects::{Context, Path, Wire, conversation, tgi};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;

use crate::serve::body::Body;

/// A request that is answered without a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered<'a> {
    /// The client's dialect.
    pub(crate) client: Wire,
    /// The request's body.
    pub(crate) body: &'a [u8],
    /// What its path says of it.
    pub(crate) said: Path<'a>,
    /// The path below the route, which decides the shape of TGI's replies.
    pub(crate) path: &'a str,
    /// The model by the client's name.
    pub(crate) model: &'a str,
    /// The request's id.
    pub(crate) id: &'a str,
}

/// A whole or streamed reply, as the request asks for it, that says `text` and counts no tokens.
///
/// # Errors
/// [`Malformed`], where the request is not what the client's dialect says.
pub(crate) fn respond(request: Answered<'_>, text: &str) -> Result<(HeaderMap, Body), Malformed> {
    let (streamed, written) = written(request, text)?;
    let kind = if streamed {
        request.client.codec().framing().media_type()
    } else {
        "application/json"
    };
    let kind = HeaderValue::from_static(kind);
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    Ok((headers, Body::whole(written.into())))
}

fn written(request: Answered<'_>, text: &str) -> Result<(bool, Vec<u8>), Malformed> {
    let codec = request.client.codec();
    let form = codec.read_request(request.body, request.said)?;
    let context = Context {
        request_id: request.id.to_owned(),
        model: request.model.to_owned(),
        started: Timestamp::now(),
        stream_usage: form.stream_usage,
        reasoning: false,
        echo: codec.echo(request.body),
    };
    if form.stream {
        let mut writer = codec.stream_writer(&context);
        let mut out = Vec::with_capacity(text.len() + 512);
        let model = Some(Cow::Borrowed(request.model));
        let choice = 0;
        for event in [
            Event::Start {
                id: None,
                model,
                created: None,
                usage: Some(Usage::default()),
            },
            Event::Text {
                choice,
                text: text.into(),
                logprobs: None,
            },
            Event::Finish {
                choice,
                reason: Finish::Stop,
            },
            Event::Usage(Usage::default()),
            Event::Done,
        ] {
            writer.write(event, &Timestamp::now, &mut out);
        }
        return Ok((true, out));
    }
    let part = Part::Text {
        text: text.to_owned(),
        citations: None,
        cache: None,
    };
    let reply = Reply {
        model: Some(request.model.to_owned()),
        choices: vec![Choice {
            index: 0,
            parts: vec![part],
            finish: Some(Finish::Stop),
            logprobs: None,
        }],
        usage: Some(Usage::default()),
        ..Reply::default()
    };
    let mut written = codec.write_reply(&reply, &context);
    match request.client {
        // TGI's root answers with a list, as what it stands in for does.
        Wire::Tgi if request.path == "/" => written = tgi::listed(written),
        Wire::Conversation => written = conversation::timed(written, 0.0),
        _ => {}
    }
    Ok((false, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client of each dialect asks, whole and streamed.
    const ASKED: [(Wire, &str, &str); 10] = [
        (
            Wire::Chat,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#,
            "stream",
        ),
        (Wire::Completions, r#"{"model":"m","prompt":"x"}"#, "stream"),
        (Wire::Responses, r#"{"model":"m","input":"x"}"#, "stream"),
        (
            Wire::Messages,
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
            "stream",
        ),
        (
            Wire::OllamaChat,
            r#"{"model":"m","stream":false,"messages":[{"role":"user","content":"x"}]}"#,
            "stream",
        ),
        (
            Wire::OllamaGenerate,
            r#"{"model":"m","stream":false,"prompt":"x"}"#,
            "stream",
        ),
        (
            Wire::Gemini,
            r#"{"contents":[{"parts":[{"text":"x"}]}]}"#,
            "",
        ),
        (
            Wire::BedrockConverse,
            r#"{"messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            "",
        ),
        (
            Wire::BedrockInvoke,
            r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#,
            "",
        ),
        (Wire::Tgi, r#"{"inputs":"x"}"#, "stream"),
    ];

    fn answered(client: Wire, body: &str, streamed: Option<bool>) -> (bool, Vec<u8>) {
        let by_path = matches!(
            client,
            Wire::Gemini | Wire::BedrockConverse | Wire::BedrockInvoke
        );
        let said = Path {
            model: by_path.then_some("m"),
            stream: streamed.filter(|_| by_path),
        };
        let request = Answered {
            client,
            body: body.as_bytes(),
            said,
            path: "/",
            model: "m",
            id: "req-1",
        };
        written(request, "Not today.").unwrap()
    }

    #[test]
    fn every_dialect_says_the_text_whole_and_streamed() {
        for (client, body, streams) in ASKED {
            let (streamed, whole) = answered(client, body, Some(false));
            let said = String::from_utf8_lossy(&whole).into_owned();
            assert!(
                !streamed && said.contains("Not today."),
                "{client:?}: {said}"
            );
            serde_json::from_slice::<serde_json::Value>(&whole).unwrap();
            let mut asked: serde_json::Value = serde_json::from_str(body).unwrap();
            if !streams.is_empty() {
                asked[streams] = true.into();
            }
            let (streamed, stream) = answered(client, &asked.to_string(), Some(true));
            assert!(streamed, "{client:?}");
            let read = read(client, &stream);
            assert_eq!(read, ("Not today.".to_owned(), true), "{client:?}");
        }
    }

    /// The text of a stream, and whether it has its end.
    fn read(client: Wire, stream: &[u8]) -> (String, bool) {
        use crate::translate::frames::{Frames, Uncut};
        let codec = client.codec();
        let mut reader = codec.stream_reader();
        let mut text = String::new();
        let mut done = false;
        let mut take = |event: Event<'_>| match event {
            Event::Text { text: more, .. } => text.push_str(&more),
            Event::Done => done = true,
            _ => {}
        };
        let mut frames = Frames::new(codec.framing());
        let fed = frames.push(stream.to_vec().into(), |frame| {
            reader.read(frame, &mut take).unwrap();
            Ok::<_, Uncut>(())
        });
        fed.unwrap();
        reader.end(&mut take);
        (text, done)
    }
}
