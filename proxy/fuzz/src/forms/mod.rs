//! What holds for every form.
//!
//! - [`loose`]: forms as a loose server reads them.

pub mod loose;

use std::ops::Range;

use arbitrary::{Arbitrary as _, Result, Unstructured};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::form::{self, Model};

/// Names that a form is renamed to.
const NAMES: [&str; 3] = ["asked", "", "a/b:c"];

/// Reads a body that a `Content-Type` announces; one that announces no form has the boundary `B`.
///
/// # Panics
/// Where a promise is broken.
pub fn judge(kind: &[u8], body: &[u8], cut: u8) {
    let Ok(value) = HeaderValue::from_bytes(kind) else {
        return;
    };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
    let boundary = match (form::boundary(&headers), std::str::from_utf8(kind)) {
        (Err(_), _) => return,
        (Ok(ours), Ok(kind)) => {
            assert_eq!(ours, loose::boundary(kind), "the boundary of {kind}");
            ours
        }
        (Ok(ours), Err(_)) => ours,
    };
    let boundary = boundary.unwrap_or_else(|| "B".into());
    let found = form::model(body, &boundary);
    let theirs = loose::models(body, &boundary);
    match &found {
        Model::At(at) => {
            if let Some(theirs) = &theirs {
                assert_eq!(theirs[..], [at.clone()], "another model than a server's");
            }
            renamed(body, &boundary, at, theirs.is_some());
        }
        Model::None => assert_eq!(theirs.unwrap_or_default(), [], "a server's model is missed"),
        Model::Several => {}
    }
    // The rest of a form tells of more, and takes nothing back.
    let start = &body[..body.len() * usize::from(cut) / 256];
    match form::model(start, &boundary) {
        Model::None => {}
        first @ Model::At(_) => assert!(found == first || found == Model::Several),
        Model::Several => assert_eq!(found, Model::Several),
    }
}

/// Another model changes nothing else, and is found where the first one was.
fn renamed(body: &[u8], boundary: &str, at: &Range<usize>, is_whole: bool) {
    let shared = Bytes::copy_from_slice(body);
    for name in NAMES {
        let renamed = form::renamed(&shared, at, name).concat();
        let rest = renamed.strip_prefix(&body[..at.start]);
        let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes()));
        assert_eq!(rest, Some(&body[at.end..]), "more than the model changed");
        let end = at.start + name.len();
        assert_eq!(form::model(&renamed, boundary), Model::At(at.start..end));
        if is_whole {
            let theirs = loose::models(&renamed, boundary);
            assert_eq!(theirs, Some(vec![at.start..end]), "a server reads another");
        }
    }
}

/// Makes a form as clients do, and reads it.
///
/// # Errors
/// If the input is at its end.
///
/// # Panics
/// If its model is not found where it was put.
pub fn made(input: &[u8]) -> Result<()> {
    let mut input = Unstructured::new(input);
    let boundary = *input.choose(&["B", "----WebKitFormBoundary7MA4", "a'()+_,-./:=? z"])?;
    let quoted = bool::arbitrary(&mut input)? || boundary.contains(' ');
    let quote = if quoted { "\"" } else { "" };
    let kind = format!("multipart/form-data; boundary={quote}{boundary}{quote}");
    let (mut body, mut models) = (Vec::new(), Vec::new());
    for _ in 0..input.int_in_range(0..=4)? {
        let name = *input.choose(&["model", "file", "prompt", "Model", "model_name"])?;
        let more = *input.choose(&["", "; filename=\"C:\\a b.wav\"", "; filename=\"%22; a=b\""])?;
        let header = *input.choose(&[
            "",
            "Content-Type: text/plain; charset=UTF-8\r\n",
            "Content-Type: audio/wav\r\nContent-Transfer-Encoding: binary\r\n",
        ])?;
        let content = <&[u8]>::arbitrary(&mut input)?;
        if holds(content, format!("--{boundary}").as_bytes()) {
            continue;
        }
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n{header}\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        if name == "model" {
            models.push(body.len()..body.len() + content.len());
        }
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let expected = match &models[..] {
        [] => Model::None,
        [one] => Model::At(one.clone()),
        _ => Model::Several,
    };
    assert_eq!(form::model(&body, boundary), expected);
    judge(kind.as_bytes(), &body, 128);
    Ok(())
}

fn holds(content: &[u8], mark: &[u8]) -> bool {
    memchr::memmem::find(content, mark).is_some()
}
