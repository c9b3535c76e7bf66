//! act_send_failure_alert: Slack, Teams and webhook.
