-- The fact of :day as docs/semantics.md defines it, from what the sources said, beside a contestant's rows.
WITH
-- The usage of the day, and of the 7 and 14 days that end on it.
activity AS (
  SELECT
    company_id,
    COALESCE(SUM(active_users) FILTER (WHERE date = :day), 0) AS active_users,
    COALESCE(SUM(events) FILTER (WHERE date = :day), 0) AS events,
    COALESCE(SUM(active_users) FILTER (WHERE date >= :day - 6), 0) AS active_users_7d,
    COALESCE(SUM(events), 0) = 0 AS is_churn_risk
  FROM usage
  WHERE date BETWEEN :day - 13 AND :day
  GROUP BY company_id
),
-- The companies of the newest export that is effective on the day.
snapshot AS (
  SELECT company_id FROM exports
  WHERE effective_on = (SELECT MAX(effective_on) FROM exports WHERE effective_on <= :day)
),
-- The companies that have a row.
companies AS (
  SELECT company_id FROM activity
  UNION
  SELECT company_id FROM snapshot
),
-- Each one's newest version on the day; before its first one, the first.
definition AS (
  SELECT
    companies.company_id, name, country, industry_tag, last_contact_at,
    COALESCE(active_users, 0) AS active_users,
    COALESCE(events, 0) AS events,
    COALESCE(active_users_7d, 0) AS active_users_7d,
    COALESCE(is_churn_risk, TRUE) AS is_churn_risk,
    events::DOUBLE PRECISION / NULLIF(active_users, 0) AS events_per_user,
    :day - (last_contact_at AT TIME ZONE 'UTC')::DATE AS days_since_last_contact
  FROM companies
  LEFT JOIN activity USING (company_id)
  LEFT JOIN LATERAL (
    SELECT name, country, industry_tag, last_contact_at FROM exports
    WHERE exports.company_id = companies.company_id
    ORDER BY
      effective_on > :day,
      CASE WHEN effective_on <= :day THEN :day - effective_on ELSE effective_on - :day END
    LIMIT 1
  ) AS version ON TRUE
),
-- Both sides' rows, and which columns differ.
compared AS (
  SELECT
    definition.company_id IS NULL AS is_extra,
    contestant.company_id IS NULL AS is_missing,
    (definition.name, definition.country, definition.industry_tag, definition.last_contact_at)
      IS DISTINCT FROM
      (contestant.company_name, contestant.country, contestant.industry_tag, contestant.last_contact_at)
      AS has_other_company,
    (definition.active_users, definition.events) IS DISTINCT FROM (contestant.active_users, contestant.events)
      AS has_other_usage,
    definition.active_users_7d IS DISTINCT FROM contestant.active_users_7d AS has_other_7d,
    definition.is_churn_risk IS DISTINCT FROM contestant.is_churn_risk AS has_other_risk,
    definition.events_per_user IS DISTINCT FROM contestant.events_per_user AS has_other_ratio,
    definition.days_since_last_contact IS DISTINCT FROM contestant.days_since_last_contact AS has_other_contact
  FROM definition
  FULL JOIN contestant USING (company_id)
),
-- Rows that both sides have.
both_sides AS (SELECT * FROM compared WHERE NOT is_extra AND NOT is_missing)
SELECT json_build_object(
  'expected', (SELECT COUNT(*) FROM compared WHERE NOT is_extra),
  'missing', (SELECT COUNT(*) FROM compared WHERE is_missing),
  'extra', (SELECT COUNT(*) FROM compared WHERE is_extra),
  'differing', (
    SELECT COUNT(*) FROM both_sides
    WHERE has_other_company OR has_other_usage OR has_other_7d OR has_other_risk OR has_other_ratio
      OR has_other_contact
  ),
  'columns', (
    SELECT json_build_object(
      'CRM columns', COUNT(*) FILTER (WHERE has_other_company),
      'active_users or events', COUNT(*) FILTER (WHERE has_other_usage),
      '7d_active_users', COUNT(*) FILTER (WHERE has_other_7d),
      'is_churn_risk', COUNT(*) FILTER (WHERE has_other_risk),
      'events_per_user', COUNT(*) FILTER (WHERE has_other_ratio),
      'days_since_last_contact', COUNT(*) FILTER (WHERE has_other_contact)
    ) FROM both_sides
  )
);
