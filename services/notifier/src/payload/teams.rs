//! Messages for Microsoft Teams Workflows webhooks, as Adaptive Cards.

use serde_json::{Value, json};

use super::{
    MAX_LINK_BYTES, shown_error,
    text::{cut, json_bytes},
};
use crate::alert::Alert;

/// Teams rejects messages above some 28 KB. The budgets of the parts add up to
/// less, whatever they hold: seven facts, title, next step, link and error.
const MAX_ERROR_BYTES: usize = 16_000;
/// The budget of every other text.
const MAX_TEXT_BYTES: usize = 600;

/// The message for an alert.
pub(crate) fn message(alert: &Alert) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card(alert),
        }],
    })
}

fn card(alert: &Alert) -> Value {
    let facts: Vec<Value> =
        alert.facts().iter().map(|(label, value)| json!({ "title": label, "value": short(value) })).collect();
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": [
            {
                "type": "TextBlock",
                "text": short(&alert.headline()),
                "size": "Large",
                "weight": "Bolder",
                "color": "Attention",
                "wrap": true,
            },
            { "type": "FactSet", "facts": facts },
            verbatim(&cut(shown_error(alert), MAX_ERROR_BYTES, json_bytes), "Monospace"),
            verbatim(&short(&alert.next_step()), "Default"),
        ],
        "actions": actions(alert),
    })
}

fn short(text: &str) -> String {
    cut(text, MAX_TEXT_BYTES, json_bytes).into_owned()
}

/// A text shown verbatim: unlike a `TextBlock`, a `RichTextBlock` renders no
/// Markdown, so an error message cannot smuggle in links.
fn verbatim(text: &str, font: &str) -> Value {
    json!({
        "type": "RichTextBlock",
        "inlines": [{ "type": "TextRun", "text": text, "fontType": font }],
    })
}

fn actions(alert: &Alert) -> Vec<Value> {
    alert
        .trace_url()
        .iter()
        .filter(|url| url.as_str().len() <= MAX_LINK_BYTES)
        .map(|url| json!({ "type": "Action.OpenUrl", "title": "Open the trace", "url": url.as_str() }))
        .collect()
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

    #[test]
    fn a_message_is_one_adaptive_card() {
        let message = message(&alert());
        assert_eq!(text(&message, "/type"), "message");
        assert_eq!(text(&message, "/attachments/0/contentType"), "application/vnd.microsoft.card.adaptive");
        assert_eq!(text(&message, "/attachments/0/content/type"), "AdaptiveCard");
        assert_eq!(text(&message, "/attachments/0/content/version"), "1.4");
    }

    #[test]
    fn a_card_says_what_failed_and_what_to_do() {
        let card = card(&alert());
        assert_eq!(text(&card, "/body/0/text"), "pl_company_activity_daily failed at act_call_product_api");
        assert_eq!(
            card.pointer("/body/1/facts/2"),
            Some(&json!({ "title": "Business date", "value": "2026-02-13" }))
        );
        assert_eq!(text(&card, "/body/2/inlines/0/text"), "the product API answered 503 <busy> & closed");
        assert!(text(&card, "/body/3/inlines/0/text").contains("activityctl retry 01990000"));
        assert_eq!(text(&card, "/actions/0/url"), "http://jaeger:16686/trace/0af7?a=1&b=2");
    }

    #[test]
    fn a_bare_alert_has_no_action_and_no_empty_text() {
        let card = card(&bare_alert());
        assert_eq!(card.pointer("/actions"), Some(&json!([])));
        assert_eq!(text(&card, "/body/2/inlines/0/text"), "(no error message)");
    }

    #[test]
    fn a_message_stays_below_28_kb_whatever_it_holds() {
        for piece in ["x", "\"", "\u{1}", "x\n", "é", "語", "🦀"] {
            let long = piece.repeat(100_000);
            let message = message(&Alert {
                message: AlertProto {
                    pipeline: long.clone(),
                    stage: long.clone(),
                    error_message: long.clone(),
                    run_id: long.clone(),
                    business_date: long.clone(),
                    error_code: long,
                    trace_url: format!("http://jaeger/{}", "x".repeat(1_980)),
                    ..alert_proto()
                },
            });
            let json = message.to_string();
            assert!(json.len() < 28_000, "{piece:?}: {}", json.len());
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), message);
            assert!(text(&message, "/attachments/0/content/body/2/inlines/0/text").ends_with('…'));
        }
    }
}
