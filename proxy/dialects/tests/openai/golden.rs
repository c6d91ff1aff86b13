//! Golden files: `tests/golden/<wire>/<case>/`. With `GOLDEN=write` in the environment they are written instead of compared.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use dragoman_dialects::form::{Event, Garbage};
use dragoman_dialects::{Codec, Context, Frame, Path, Target};
use serde_json::{Map, Value};

/// The files of a case.
pub(crate) struct Case(PathBuf);

impl Case {
    pub(crate) fn new(wire: &str, name: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Self(root.join("tests/golden").join(wire).join(name))
    }

    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.0.join(file);
        fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
    }

    pub(crate) fn assert(&self, file: &str, is: &str) {
        let path = self.0.join(file);
        if env::var_os("GOLDEN").is_some_and(|word| word == "write") {
            fs::write(&path, is).unwrap();
        }
        let was = fs::read_to_string(&path).unwrap_or_default();
        assert!(was == is, "{} differs; it is now:\n{is}", path.display());
    }

    /// `request.json` is read as in `form.txt`, and written as in `written.json`, which is read as the same.
    pub(crate) fn request(&self, codec: &dyn Codec) {
        let body = self.read("request.json");
        let form = codec
            .read_request(body.as_bytes(), Path::default())
            .unwrap();
        self.assert("form.txt", &format!("{form:#?}\n"));
        let target = Target {
            model: &form.model,
            stream: form.stream,
        };
        let written = codec.write_request(&form, target).unwrap();
        self.assert("written.json", &pretty(&written));
        let again = codec.read_request(&written, Path::default()).unwrap();
        assert_eq!(again, form);
    }

    /// `reply.json` is read as in `form.txt`, and written as in `written.json`.
    pub(crate) fn reply(&self, codec: &dyn Codec) {
        let form = codec
            .read_reply(self.read("reply.json").as_bytes())
            .unwrap();
        self.assert("form.txt", &format!("{form:#?}\n"));
        let written = codec.write_reply(&form, &context());
        self.assert("written.json", &pretty(&written));
    }

    /// `stream.txt` is read as in `events.txt`, and written as in `written.txt`.
    pub(crate) fn stream(&self, codec: &dyn Codec) {
        let mut lines = String::new();
        let mut out = Vec::new();
        let mut writer = codec.stream_writer(&context());
        let stream = self.read("stream.txt");
        let complete = read_stream(codec, &stream, &mut |event| {
            writeln!(lines, "{event:?}").unwrap();
            writer.write(event, &|| context().started, &mut out);
        });
        let complete = complete.unwrap();
        writeln!(lines, "complete: {complete}").unwrap();
        self.assert("events.txt", &lines);
        self.assert("written.txt", &String::from_utf8(out).unwrap());
    }
}

/// Reads a transcript of server-sent events; whether it was complete.
pub(crate) fn read_stream(
    codec: &dyn Codec,
    stream: &str,
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<bool, Garbage> {
    let mut reader = codec.stream_reader();
    for event in stream.split("\n\n") {
        let (mut name, mut data) = (None, None);
        for line in event.lines() {
            name = name.or(line.strip_prefix("event: "));
            data = data.or(line.strip_prefix("data: "));
        }
        if let Some(data) = data {
            let frame = Frame {
                name,
                exception: false,
                data: data.as_bytes(),
            };
            reader.read(frame, emit)?;
        }
    }
    Ok(reader.end(emit))
}

/// All events of a transcript, as text.
pub(crate) fn events(codec: &dyn Codec, stream: &str) -> Vec<String> {
    let mut events = Vec::new();
    let read = read_stream(codec, stream, &mut |event| {
        events.push(format!("{event:?}"))
    });
    events.push(match read {
        Ok(complete) => format!("complete: {complete}"),
        Err(garbage) => garbage.to_string(),
    });
    events
}

pub(crate) fn context() -> Context {
    Context {
        request_id: "019aa5c0-0000-7000-8000-000000000001".into(),
        model: "chat".into(),
        started: "2026-11-21T07:00:00Z".parse().unwrap(),
        stream_usage: true,
        reasoning: true,
        echo: Map::new(),
    }
}

pub(crate) fn pretty(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    format!("{value:#}\n")
}
