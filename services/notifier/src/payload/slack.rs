//! Messages for Slack's incoming webhooks, in Block Kit.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{MAX_LINK_BYTES, shown_error, text::cut};
use crate::alert::Alert;

/// Slack's limit on a header's text.
const MAX_HEADER: usize = 150;
/// Slack's limit on a section's text.
const MAX_SECTION: usize = 3_000;
/// Far below Slack's limit of 2,000: a field is half a line wide.
const MAX_FIELD: usize = 300;
/// Enough of the error for a notification on a phone.
const MAX_FALLBACK: usize = 600;

/// The message for an alert.
pub(crate) fn message(alert: &Alert) -> Value {
    let fields: Vec<Value> = alert.facts().iter().map(|(label, value)| field(label, value)).collect();
    json!({
        // Shown by notifications and screen readers instead of the blocks.
        "text": escaped(&format!("{}: {}", alert.headline(), shown_error(alert)), MAX_FALLBACK),
        "blocks": [
            { "type": "header", "text": plain(&alert.headline()) },
            { "type": "section", "fields": fields },
            { "type": "section", "text": mrkdwn(&code_block(shown_error(alert))) },
            { "type": "section", "text": mrkdwn(&next_step(alert)) },
        ],
    })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": escaped(text, MAX_HEADER), "emoji": false })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn field(label: &str, value: &str) -> Value {
    // As code, so that underscores in stage names are not markup.
    let value = value.replace('`', "'");
    mrkdwn(&format!("*{label}*\n`{}`", escaped(&value, MAX_FIELD)))
}

fn code_block(text: &str) -> String {
    const FENCE: &str = "```";
    let inner = text.replace(FENCE, "'''");
    let inner = inner.trim_end_matches('`');
    format!("{FENCE}{}{FENCE}", escaped(inner, MAX_SECTION - 2 * FENCE.len()))
}

fn next_step(alert: &Alert) -> String {
    let step = escaped(&alert.next_step(), MAX_FIELD);
    match link(alert) {
        Some(link) => format!("{step}\n<{link}|Open the trace>"),
        None => step,
    }
}

/// The trace's URL, safe to put in a link: a bar would end it.
fn link(alert: &Alert) -> Option<String> {
    let url = alert.trace_url()?.as_str().replace('|', "%7C").replace('&', "&amp;");
    (url.len() <= MAX_LINK_BYTES).then_some(url)
}

/// The text with Slack's control characters escaped, at most `limit` long.
/// Slack does not document whether it counts characters or UTF-16 units: a
/// limit in the latter satisfies both.
fn escaped(text: &str, limit: usize) -> String {
    let text: Cow<'_, str> = cut(text, limit, |character| match escape_of(character) {
        Some(escape) => escape.len(),
        None => character.len_utf16(),
    });
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match escape_of(character) {
            Some(escape) => escaped.push_str(escape),
            None => escaped.push(character),
        }
        escaped
    })
}

const fn escape_of(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proto::notifier::v1::Alert as AlertProto;

    use super::*;
    use crate::alert::tests::{alert, alert_proto, bare_alert};

    fn text<'a>(message: &'a Value, pointer: &str) -> &'a str {
        message
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {message}"))
    }

    fn all_texts(message: &Value) -> Vec<&str> {
        match message {
            Value::String(text) => vec![text],
            Value::Array(items) => items.iter().flat_map(all_texts).collect(),
            Value::Object(fields) => fields.values().flat_map(all_texts).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        }
    }

    #[test]
    fn a_message_says_what_failed_and_what_to_do() {
        let message = message(&alert());
        assert_eq!(
            text(&message, "/blocks/0/text/text"),
            "pl_company_activity_daily failed at act_call_product_api"
        );
        assert_eq!(text(&message, "/blocks/1/fields/1/text"), "*Stage*\n`act_call_product_api`");
        assert_eq!(message.pointer("/blocks/1/fields").and_then(Value::as_array).map(Vec::len), Some(7));
        assert_eq!(
            text(&message, "/blocks/2/text/text"),
            "```the product API answered 503 &lt;busy&gt; &amp; closed```"
        );
        let step = text(&message, "/blocks/3/text/text");
        assert!(step.contains("`activityctl retry 01990000-0000-7000-8000-000000000000`"), "{step}");
        assert!(step.ends_with("<http://jaeger:16686/trace/0af7?a=1&amp;b=2|Open the trace>"), "{step}");
        assert!(
            text(&message, "/text").starts_with("pl_company_activity_daily failed at act_call_product_api: ")
        );
    }

    #[test]
    fn a_bare_alert_has_no_empty_text() {
        let message = message(&bare_alert());
        assert!(all_texts(&message).iter().all(|text| !text.is_empty()), "{message}");
        assert_eq!(text(&message, "/blocks/2/text/text"), "```(no error message)```");
        assert!(!text(&message, "/blocks/3/text/text").contains("trace"));
    }

    #[test]
    fn an_error_cannot_call_people_or_leave_its_block() {
        let error_message = "<!channel> ```*bold* <https://evil.example|click>`".to_owned();
        let message = message(&Alert { message: AlertProto { error_message, ..alert_proto() } });
        let block = text(&message, "/blocks/2/text/text");
        assert_eq!(block, "```&lt;!channel&gt; '''*bold* &lt;https://evil.example|click&gt;```");
        assert!(!text(&message, "/text").contains('<'));
    }

    #[test]
    fn no_limit_is_passed_by_any_text() {
        for piece in ["x", "&", "é", "語", "🦀", "\u{1}", "`", "\""] {
            let long = piece.repeat(100_000);
            let message = message(&Alert {
                message: AlertProto {
                    pipeline: long.clone(),
                    stage: long.clone(),
                    error_message: long.clone(),
                    run_id: long.clone(),
                    error_code: long.clone(),
                    trace_url: format!("http://jaeger/?{long}"),
                    ..alert_proto()
                },
            });
            let units = |pointer: &str| text(&message, pointer).encode_utf16().count();
            assert!(units("/blocks/0/text/text") <= 150, "{piece}");
            assert!(units("/blocks/2/text/text") <= 3_000, "{piece}");
            assert!(units("/blocks/3/text/text") <= 3_000, "{piece}");
            assert!((0..7).all(|at| units(&format!("/blocks/1/fields/{at}/text")) <= 2_000), "{piece}");
            assert!(text(&message, "/blocks/2/text/text").ends_with("```"), "{piece}");
        }
    }

    #[test]
    fn an_escape_is_never_cut_in_two() {
        for limit in 1..40 {
            let cut = escaped(&"<&>".repeat(20), limit);
            let rest = cut.replace("&lt;", "").replace("&amp;", "").replace("&gt;", "").replace('…', "");
            assert_eq!(rest, "", "{cut}");
            assert!(cut.len() <= limit + '…'.len_utf8(), "{cut}");
        }
    }
}
