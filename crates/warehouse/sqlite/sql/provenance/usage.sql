-- The fetches of the days $2..$3, and the staged records of company $1.
SELECT
  day.date AS "day!: chrono::NaiveDate",
  usage.active_users AS "active_users?: i32",
  usage.events AS "events?",
  day.landing_path, day.bytes, day.run_id, day.fetched_at, day.landing_etag,
  day.page_ends,
  (SELECT COUNT(*) FROM quarantine WHERE origin = day.landing_path) AS "quarantined!: i64"
FROM usage_days AS day
LEFT JOIN stg_product_usage AS usage ON usage.date = day.date AND usage.company_id = $1
WHERE day.date BETWEEN $2 AND $3
ORDER BY day.date
