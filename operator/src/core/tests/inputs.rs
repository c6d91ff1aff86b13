//! Secrets that the operator cannot read, and who waits for them.

use std::time::Duration;

use dragoman_config::{Key, Kind};

use super::stage::Stage;

fn resolved(stage: &Stage) -> String {
    let vllm = Key::new(Kind::Backend, "team-a", "vllm");
    stage.condition(&vllm, "ResolvedRefs").1
}

#[test]
fn a_secret_that_the_operator_may_not_read_is_not_called_missing_and_keeps_nobody_waiting() {
    let mut stage = Stage::new();
    stage.forbidden = true;
    stage.chat();
    stage.list();
    stage.lead();
    stage.settle();
    assert!(stage.core.is_ready());
    stage.soon();
    assert_eq!(resolved(&stage), "SecretUnreadable");
}

#[test]
fn a_secret_that_somebody_grants_later_is_noticed_and_not_asked_for_all_the_time() {
    let mut stage = Stage::leading();
    stage.forbidden = true;
    stage.chat();
    stage.pass(Duration::from_mins(10));
    assert!((5..=15).contains(&stage.reads), "{} reads", stage.reads);
    stage.forbidden = false;
    stage.pass(Duration::from_mins(2));
    assert_eq!(resolved(&stage), "ResolvedRefs");
    let reads = stage.reads;
    stage.pass(Duration::from_mins(10));
    assert_eq!(stage.reads, reads, "what was read is not asked for again");
}

#[test]
fn a_key_that_was_read_stays_when_the_operator_may_no_longer_read_it() {
    let (mut stage, ..) = Stage::served();
    stage.forbidden = true;
    stage.secret("team-a/key", "sk-2");
    stage.pass(Duration::from_mins(2));
    assert_eq!(resolved(&stage), "ResolvedRefs");
}

#[test]
fn a_secret_that_nobody_refers_to_any_more_is_not_asked_for() {
    for forbidden in [true, false] {
        let mut stage = Stage::leading();
        (stage.forbidden, stage.unreadable) = (forbidden, !forbidden);
        stage.chat();
        stage.soon();
        stage.delete(&Key::new(Kind::Backend, "team-a", "vllm"));
        let reads = stage.reads;
        stage.pass(Duration::from_mins(10));
        assert_eq!(stage.reads, reads);
    }
}

const PROMPT: &str = "en.chat-conversation-simple.prompt";

#[test]
fn a_config_map_is_read_when_a_resource_refers_to_it_and_again_when_it_changes() {
    let mut stage = Stage::leading();
    stage.config_map("team-a/prompts", PROMPT, "Be brief.");
    stage.config_map("team-a/other", "a", "b");
    stage.chat();
    stage.soon();
    let reads = stage.reads;
    let key = stage.route(
        2,
        serde_json::json!({"conversation": {"promptsRef": {"name": "prompts"}}}),
    );
    stage.soon();
    assert_eq!(stage.reads, reads + 1, "what nobody refers to is not read");
    assert_eq!(stage.condition(&key, "ResolvedRefs").1, "ResolvedRefs");
    stage.config_map("team-a/prompts", "de.x.prompt", "Kurz.");
    stage.soon();
    assert_eq!(stage.reads, reads + 2);
    assert_eq!(
        stage.condition(&key, "ResolvedRefs").1,
        "ConfigMapKeyMissing"
    );
    stage.config_map("team-a/other", "a", "c");
    stage.soon();
    assert_eq!(stage.reads, reads + 2);
}
