//! Golden files: what each cell of the matrix looks like, for readers. `golden/cells/<client>-to-<upstream>.txt` has four sections: a rich
//! request as the upstream gets it; a whole reply, a streamed one and an error as the client gets them. With `UPDATE=1` in the environment
//! they are written instead of compared.
//!
//! The requests are those of `golden/<client>/request`, or `requests/<client>.json` where there is none. An upstream that refuses one is
//! asked again without the first thing in `reductions.json` that helps, those of the refused field first, and so on: the golden says what was
//! refused, and without what it is taken. The answers are those of `upstreams/<upstream>.txt`, as the vendors document them; all say the same
//! who can.

mod request;
mod shown;
mod upstream;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use dragoman_dialects::Context;

use crate::answers::context;
use crate::frames::read;
use crate::wires::{SIDES, Side, clients};
use upstream::Upstream;

#[test]
fn the_golden_files_of_the_cells_are_what_clients_and_upstreams_get() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cells");
    let update = env::var_os("UPDATE").is_some();
    let mut expected = BTreeSet::new();
    let mut stale = String::new();
    for client in clients() {
        for upstream in SIDES.iter().filter(|side| side.wire != client.wire) {
            let name = format!("{}-to-{}.txt", client.file, upstream.file);
            let is = cell(client, upstream);
            let path = folder.join(&name);
            if update {
                fs::write(&path, &is).unwrap();
            }
            if fs::read_to_string(&path).unwrap_or_default() != is {
                writeln!(stale, "{name} is not current").unwrap();
            }
            expected.insert(name);
        }
    }
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        if expected.contains(&name) {
            continue;
        }
        if update {
            fs::remove_file(file.path()).unwrap();
        } else {
            writeln!(stale, "{name} is of no cell").unwrap();
        }
    }
    assert!(
        stale.is_empty(),
        "{stale}run `UPDATE=1 cargo test -p dragoman-dialects --test matrix`, and read what has changed"
    );
}

/// What a cell looks like.
fn cell(client: &Side, upstream: &Side) -> String {
    let (body, refused, written) = request::asked(client, upstream);
    let context = Context {
        model: upstream.model.into(),
        echo: client.codec().echo(body.to_string().as_bytes()),
        ..context()
    };
    let answers = Upstream::new(upstream);
    let reply = upstream.codec().read_reply(answers.reply.as_bytes());
    let mut reply = reply.unwrap();
    // Only who knows the prompt can complete them.
    reply.usage = reply.usage.filter(|usage| !usage.lacks_input());
    let reply = client.codec().write_reply(&reply, &context);
    let mut stream = Vec::new();
    let mut writer = client.codec().stream_writer(&context);
    let complete = read(upstream, &answers.frames(upstream), &mut |event| {
        writer.write(event, &|| context.started, &mut stream);
    });
    assert!(complete.unwrap(), "{} breaks off", upstream.file);
    let failure = upstream
        .codec()
        .read_error(answers.status, answers.error.as_bytes());
    let (status, error) = client.codec().write_error(&failure, &context.request_id);
    format!(
        "Clients of {}, an upstream of {}\n\n== request\n{refused}{}\n== reply\n{}\n== stream\n{}\n== error {} is told as {status}\n{}",
        client.title,
        upstream.title,
        shown::json(&written),
        shown::json(&reply),
        shown::stream(client, &stream),
        answers.status,
        shown::json(&error),
    )
}
