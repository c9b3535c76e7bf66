//! act_call_product_api: product-usage API to landed NDJSON to stg_product_usage.
