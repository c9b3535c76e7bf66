//! Object storage: reads CRM exports, lands raw NDJSON.
