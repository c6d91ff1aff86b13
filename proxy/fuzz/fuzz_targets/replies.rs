//! Any bytes as a reply of every dialect, and as a list of models: what reads is written as every client reads it.
#![no_main]

use dragoman_dialects::models;
use dragoman_fuzz::wires::{SIDES, context, json, now};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for upstream in &SIDES {
        let Ok(reply) = upstream.codec().read_reply(body) else {
            continue;
        };
        for client in &SIDES {
            let written = client.codec().write_reply(&reply, &context());
            json(&written);
            if let Err(garbage) = client.codec().read_reply(&written) {
                panic!("{:?} to {:?}: {garbage}", upstream.wire, client.wire);
            }
        }
    }
    if let Ok(list) = models::read(body) {
        let openai = models::openai::list(&list).to_string();
        let again = models::read(openai.as_bytes()).expect("OpenAI's list is read");
        assert_eq!(list.len(), again.len());
        let _ = models::anthropic::list(&list);
        let _ = models::lmstudio::list(&list);
        let _ = models::ollama::tags(&list);
        let _ = models::ollama::ps(&list, now());
        list.iter().for_each(|model| {
            let _ = models::ollama::show(model);
        });
    }
});
