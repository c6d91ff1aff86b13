use super::*;

/// What is found as a request finds it: the scan says whether to look.
fn kept(dialect: Dialect, body: &str) -> Option<&'static str> {
    let found = found(dialect, body.as_bytes());
    let (_, suspect) = scan::<&str>(body.as_bytes(), &[], true, |_| ()).unwrap();
    assert!(found.is_none() || suspect == Suspect::Maybe, "{body}");
    found
}

#[test]
fn what_lies_under_our_key_is_found_wherever_it_stands_and_words_are_not() {
    let bedrock = |body: &str| kept(Dialect::Bedrock, body);
    let gemini = |body: &str| kept(Dialect::Gemini, body);
    let s3 = r#"{"messages":[{"content":[{"image":{"source":{"\u00733Location":{"uri":"s3://a/b"}}}}]}]}"#;
    assert_eq!(bedrock(s3), Some("s3Location"));
    assert_eq!(
        bedrock(r#"{"messages":[{"content":[{"text":"\"s3Location\": {}"}]}]}"#),
        None
    );
    assert_eq!(
        gemini(r#"{"cachedContent":"cachedContents/x"}"#),
        Some("cachedContent")
    );
    assert_eq!(gemini(r#"{"cached_content":null}"#), None);
    let stores = r#"{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/a"]}}]}"#;
    assert_eq!(gemini(stores), Some("fileSearchStoreNames"));
    let file = |uri: &str| {
        format!(r#"{{"contents":[{{"parts":[{{"fileData":{{"fileUri":"{uri}"}}}}]}}]}}"#)
    };
    let own = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    assert_eq!(gemini(&file(own)), Some("fileUri"));
    assert_eq!(gemini(&file("https://www.youtube.com/watch?v=a")), None);
}

#[test]
fn what_openai_keeps_is_found_by_every_name_that_leads_there() {
    for (what, body) in [
        (
            "file_id",
            r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#,
        ),
        (
            "file_id",
            r#"{"input":[{"role":"user","content":[{"type":"input_image","\u0066ile_id":"file-1"}]}]}"#,
        ),
        (
            "file_ids",
            r#"{"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["file-1"]}}]}"#,
        ),
        (
            "vector_store_ids",
            r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#,
        ),
        (
            "container",
            r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}"#,
        ),
        (
            "container_id",
            r#"{"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"cntr_1"}}]}"#,
        ),
        (
            "skill_id",
            r#"{"tools":[{"type":"shell","environment":{"skills":[{"type":"skill_reference","skill_id":"skill_1"}]}}]}"#,
        ),
        (
            "previous_response_id",
            r#"{"previous\u005fresponse_id":"r1"}"#,
        ),
        (
            "conversation",
            r#"{"conversation":{"id":"c"},"conversation":null}"#,
        ),
        ("prompt", r#"{"prompt":{"id":"pmpt_1"}}"#),
        (
            "audio",
            r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}"#,
        ),
        ("voice", r#"{"input":"hm","voice":{"id":"voice_1"}}"#),
        (
            "item_reference",
            r#"{"input":[{"role":"user","content":"hm"},{"type":"item_reference","id":"msg_1"}]}"#,
        ),
        (
            "item_reference",
            r#"{"input":[{"type":null,"id":"msg_1"}]}"#,
        ),
        (
            "item_reference",
            r#"{"input":[{"type":"item_reference","type":"message","id":"msg_1"}]}"#,
        ),
        (
            "image_generation_call",
            r#"{"input":[{"type":"image_generation_call","id":"ig_1"}]}"#,
        ),
    ] {
        assert_eq!(kept(Dialect::OpenAI, body), Some(what), "{body}");
        assert_eq!(kept(Dialect::AzureOpenAI, body), Some(what), "{body}");
    }
    let sources = r#"{"data_sources":[{"type":"azure_search","parameters":{}}]}"#;
    assert_eq!(kept(Dialect::AzureOpenAI, sources), Some("data_sources"));
}

#[test]
fn what_an_application_says_in_openais_words_is_its_own() {
    for body in [
        r#"{"messages":[{"role":"user","content":"\"file_id\":\"file-1\""}]}"#,
        r#"{"tools":[{"function":{"name":"f","parameters":{"properties":{"file_id":{"type":"string","examples":["x"]},"file_ids":["a"]}}}}]}"#,
        r#"{"response_format":{"json_schema":{"schema":{"required":["a"],"vector_store_ids":["b"]}}}}"#,
        r#"{"metadata":{"file_id":"7","conversation":"c"}}"#,
        r#"{"prompt":"say a","conversation":null,"file_id":null}"#,
        r#"{"audio":{"voice":"alloy","format":"mp3"},"voice":"alloy"}"#,
        r#"{"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}"#,
        r#"{"input":[{"id":"msg_1","role":"assistant","content":"a"},{"type":"message","id":"msg_2","role":"user","content":"b"}]}"#,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{}"}]}"#,
        r#"{"input":[{"type":"image_generation_call","id":"ig_1","result":"aGk="}]}"#,
        r#"{"input":["text",7],"tools":[]}"#,
    ] {
        assert_eq!(kept(Dialect::AzureOpenAI, body), None, "{body}");
    }
}

#[test]
fn what_anthropic_keeps_is_found_and_what_is_everybodys_is_not() {
    let anthropic = |body: &str| kept(Dialect::Anthropic, body);
    for (what, body) in [
        (
            "file_id",
            r#"{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
        ),
        (
            "file_id",
            r#"{"messages":[{"content":[{"type":"container_upload","file_id":"file_1"}]}]}"#,
        ),
        ("container", r#"{"container":"container_1"}"#),
        (
            "container",
            r#"{"container":{"id":"container_1","skills":[]}}"#,
        ),
        (
            "skills",
            r#"{"container":{"skills":[{"type":"custom","skill_id":"skill_1"}]}}"#,
        ),
        (
            "skills",
            r#"{"container":{"skills":[{"type":"anthropic","type":"custom","skill_id":"skill_1"}]}}"#,
        ),
        (
            "skills",
            r#"{"container":{"skills":[{"skill_id":"skill_1"}]}}"#,
        ),
    ] {
        assert_eq!(anthropic(body), Some(what), "{body}");
    }
    for body in [
        r#"{"container":{"id":null,"skills":[{"type":"anthropic","skill_id":"pptx"}]}}"#,
        r#"{"messages":[{"content":[{"type":"tool_use","id":"t","name":"open","input":{"file_id":"7"}}]}]}"#,
        r#"{"tools":[{"name":"open","input_schema":{"properties":{"file_id":{"type":"string","default":"7"}}}}]}"#,
        r#"{"messages":[{"role":"user","content":"container file_id"}]}"#,
    ] {
        assert_eq!(anthropic(body), None, "{body}");
    }
}

#[test]
fn a_body_without_such_names_is_not_looked_into() {
    let chat = r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"file_id\":1}"}}]}],"prompt":"x"}"#;
    let (_, suspect) = scan::<&str>(chat.as_bytes(), &[], false, |_| ()).unwrap();
    assert_eq!(suspect, Suspect::No);
}
