-- What the rows of company $1 on the days $2..$3 were before.
SELECT
  company_id, activity_date, company_name, country, industry_tag,
  last_contact_at AS "last_contact_at?: chrono::DateTime<chrono::Utc>", active_users AS "active_users!: i32",
  events AS "events!: i64", active_users_7d AS "active_users_7d!: i64", is_churn_risk AS "is_churn_risk!: bool",
  events_per_user, days_since_last_contact AS "days_since_last_contact?: i32",
  loaded_at AS "loaded_at!: chrono::DateTime<chrono::Utc>",
  replaced_at AS "replaced_at!: chrono::DateTime<chrono::Utc>"
FROM fact_rows_replaced
WHERE company_id = $1 AND activity_date BETWEEN $2 AND $3
ORDER BY activity_date, replaced_at
