//! Members that expressions or services would not see, and servers would: names in another case, however deep they stand.
//!
//! Servers written in Go, Ollama's among them, take a member by its name in any case: [`encoding/json`](https://pkg.go.dev/encoding/json#Unmarshal). A rule on
//! `m.content` sees nothing of `Content`. Looked for only where a policy reads members; what is the application's own is left alone.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::names::ambiguous;
use crate::json::{self, lexer, string};
use crate::serve::error::Refusal;
use crate::state::reading::{Reading, folded};

/// The names of members that the APIs know, as they spell them.
const NAMES: &str = "
    adapter_id add_generation_prompt add_special_tokens allowed_token_ids allowed_tools annotations anthropic_beta anthropic_version approximate
    audio background bad_words best_of budget_tokens cache_control cache_prompt cache_salt chat_template chat_template_kwargs citations
    container content contents context context_management conversation data decoder_input_details default delta description details
    developer dimensions disable_parallel_tool_use display do_sample document documents draft_model echo effort embedding enable_thinking
    encoding_format encrypted_content fallbacks file file_data file_id file_url filename format frequency_penalty function function_call functions
    grammar guided_choice guided_grammar guided_json guided_regex historical_messages id ignore_eos image image_url images include
    include_usage input input_audio input_file input_image input_text inputs instructions is_error item items json_schema keep_alive language
    length_penalty logit_bias logprobs lora_path main_gpu max_completion_tokens max_new_tokens max_output_tokens max_tokens max_tokens_to_sample
    max_tool_calls mcp_servers media_type messages mime_type min_p min_tokens mirostat mirostat_eta mirostat_tau modalities mode model model_name
    models modified_at n n_predict n_probs name num_batch num_ctx num_gpu num_keep num_predict num_thread options output output_config
    output_format parallel_tool_calls parameters part partial_json parts penalize_newline plugins prediction prefill presence_penalty
    previous_response_id priority prompt prompt_cache_key prompt_mode prompt_name provider query raw reasoning reasoning_content reasoning_effort
    refusal regex repeat_last_n repeat_penalty repetition_penalty requests response_format return_full_text role safe_prompt
    safety_identifier seed separate_reasoning service_tier signature skills skip_special_tokens source speed stop stop_sequence stop_sequences
    stop_token_ids store stream stream_options strict structured_outputs suffix summary system system_prompt task temperature template
    text texts tfs_z think thinking thinking_budget thought title tokens tool tool_call_id tool_calls tool_choice tool_name tool_result tool_use
    tool_use_id tools top_k top_logprobs top_n_tokens top_p transforms truncate truncate_prompt_tokens truncation ttl type typical_p uri url use_mmap
    user user_id user_last_statement vector_store_ids verbosity video video_url voice watermark web_search_options
    additionalModelRequestFields additionalModelResponseFieldPaths allowedFunctionNames cachePoint cachedContent candidateCount
    codeExecution codeExecutionResult contentBlocks dataSources executableCode fileData fileSearch fileSearchStoreNames fileUri frequencyPenalty
    functionCall functionCallingConfig functionDeclarations functionResponse generateContentRequest generationConfig googleSearch
    guardContent guardrailConfig guardrailIdentifier guardrailVersion includeThoughts inferenceConfig inlineData inputSchema inputText
    logprobsResult maxOutputTokens maxTokenCount maxTokens mediaResolution mimeType modelId outputConfig outputDimensionality
    parametersJsonSchema performanceConfig presencePenalty promptVariables reasoningContent reasoningText redactedContent
    requestMetadata responseJsonSchema responseLogprobs responseMimeType responseModalities responseSchema s3Location
    safetySettings searchResult serviceTier speechConfig stopSequences systemInstruction systemTool taskType textGenerationConfig thinkingBudget
    thinkingConfig thinkingLevel thoughtSignature toolChoice toolConfig toolResult toolSpec toolUse toolUseId topK topP urlContext videoMetadata
";
static SPELLED: LazyLock<HashSet<&str>> = LazyLock::new(|| NAMES.split_whitespace().collect());
static FOLDED: LazyLock<HashSet<String>> =
    LazyLock::new(|| NAMES.split_whitespace().map(folded).collect());

/// Refuses a body with a member whose name differs by its case alone from one that an API or an expression of the policies knows.
///
/// # Errors
/// 400, naming the member.
pub(super) fn refuse_other_case(body: &[u8], reading: &Reading) -> Result<(), Refusal> {
    let mut other = None;
    each_of_apis(body, |name, _, _| {
        let is_plain = name
            .bytes()
            .all(|it| it.is_ascii() && !it.is_ascii_uppercase());
        let folded = folded(name);
        let differs = reading.spells_otherwise(name, &folded)
            || (!is_plain && !SPELLED.contains(name) && FOLDED.contains(&folded));
        if differs && other.is_none() {
            other = Some(name.to_owned());
        }
    });
    other.map_or(Ok(()), |name| Err(ambiguous(&name)))
}

/// Shows each member of a body, and of all objects within it, that is not the application's own: its name, where its value starts, whether it stands
/// within another. What is no object was judged before, or has no members.
pub(super) fn each_of_apis(body: &[u8], mut each: impl FnMut(&str, usize, bool)) {
    let mut looks_from = 0;
    let _ = json::scan_each::<&str>(body, &[], |member| {
        if member.value < looks_from {
            return;
        }
        let name = string::decode(member.written());
        let first = body.get(member.value).copied().unwrap_or_default();
        each(&name, member.value, member.nested);
        if matches!(first, b'{' | b'[') && is_the_applications(&name, first, member.nested) {
            looks_from = lexer::value(body, member.value, 0).unwrap_or(body.len());
        }
    });
}

/// Whether a member's value is the application's own, whatever names stand in it: schemas, arguments and results of its tools, its notes. At the top some of
/// these names are other things.
fn is_the_applications(name: &str, first: u8, nested: bool) -> bool {
    match name {
        "$defs"
        | "chat_template_kwargs"
        | "const"
        | "default"
        | "definitions"
        | "enum"
        | "example"
        | "examples"
        | "guided_json"
        | "headers"
        | "input_schema"
        | "inputSchema"
        | "logit_bias"
        | "metadata"
        | "parametersJsonSchema"
        | "parameters_json_schema"
        | "patternProperties"
        | "promptVariables"
        | "properties"
        | "requestMetadata"
        | "responseJsonSchema"
        | "responseSchema"
        | "response_json_schema"
        | "response_schema"
        | "schema"
        | "variables" => true,
        // Ollama's schema of what is answered; that of a Responses' text has one within.
        "format" => !nested && first == b'{',
        "args" | "arguments" | "input" | "json" | "parameters" | "response" => {
            nested && first == b'{'
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use dragoman_config::{PolicyItem, RuleActionItem, RuleItem};
    use dragoman_crds::NameFilter;

    use super::*;

    /// The member for which a body is refused under a rule.
    fn refused(when: &str, body: &str) -> Option<String> {
        let rule = RuleItem {
            name: "one".into(),
            when: Some(when.into()),
            action: RuleActionItem::Allow,
        };
        let policy = PolicyItem {
            authentication: None,
            allow: None,
            deny: Vec::new(),
            ban: None,
            rules: vec![rule],
            response_rules: Vec::new(),
            limits: Vec::new(),
            models: NameFilter::default(),
        };
        let reading = Reading::of(&policy);
        assert!(reading.members);
        let refusal = refuse_other_case(body.as_bytes(), &reading).err()?;
        assert_eq!(refusal.code, "ambiguous_member");
        refusal.param.map(std::borrow::Cow::into_owned)
    }

    const RULE: &str =
        "request.messages.exists(m, m.content.contains('x')) && request.own.topK == 1";

    #[test]
    fn a_member_in_another_case_is_found_however_deep_it_stands() {
        for (body, name) in [
            (r#"{"messages":[{"role":"user","Content":"x"}]}"#, "Content"),
            (r#"{"messages":[{"\u0043ontent":"x"}]}"#, "Content"),
            (r#"{"Template":"x"}"#, "Template"),
            (r#"{"options":{"Num_Predict":9}}"#, "Num_Predict"),
            (r#"{"input":[{"type":"message","Content":"x"}]}"#, "Content"),
            (r#"{"parameters":{"Max_New_Tokens":9}}"#, "Max_New_Tokens"),
            (r#"{"input":{"Content":"x"}}"#, "Content"),
            (r#"{"GenerationConfig":{}}"#, "GenerationConfig"),
            ("{\"a\":{\"me\u{17f}sages\":1}}", "me\u{17f}sages"),
            ("{\"a\":{\"to\u{212a}ens\":1}}", "to\u{212a}ens"),
            // What only the rule knows.
            (r#"{"OWN":{}}"#, "OWN"),
            (r#"{"a":[{"topk":1}]}"#, "topk"),
        ] {
            assert_eq!(refused(RULE, body).as_deref(), Some(name), "{body}");
        }
        let each = "request.all(k, k != '') && request['Own'] == 1 && has(request.a.Which)";
        assert_eq!(refused(each, r#"{"own":1}"#).as_deref(), Some("own"));
        assert_eq!(refused(each, r#"{"which":1}"#).as_deref(), Some("which"));
    }

    #[test]
    fn what_the_apis_spell_with_capitals_and_what_is_the_applications_passes() {
        for body in [
            r#"{"generationConfig":{"topK":1},"contents":[{"parts":[{"functionCall":{"name":"f","args":{"Content":1}}}]}]}"#,
            r#"{"inputText":"x","textGenerationConfig":{"topP":1}}"#,
            r#"{"tools":[{"function":{"name":"f","parameters":{"properties":{"Name":{},"Content":{}}}}}]}"#,
            r#"{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"Role":{}}}}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"Model":"T"}}]}]}"#,
            r#"{"metadata":{"Name":"x"},"format":{"properties":{"Title":{}}}}"#,
            r#"{"own":{"topK":1},"X-Other":1}"#,
        ] {
            assert_eq!(refused(RULE, body), None, "{body}");
        }
    }
}
