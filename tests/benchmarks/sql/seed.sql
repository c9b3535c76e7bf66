-- The seed's statement as it stands; only DATEDIFF, which Postgres does not
-- have, is a subtraction of days.
WITH daily_usage AS (
    SELECT
        company_id,
        date            AS activity_date,
        active_users,
        events
    FROM stg_product_usage
),

crm AS (
    SELECT
        company_id,
        name            AS company_name,
        country,
        industry_tag,
        last_contact_at
    FROM stg_crm_companies
),

joined AS (
    SELECT
        u.company_id,
        u.activity_date,
        c.company_name,
        c.country,
        c.industry_tag,
        c.last_contact_at,
        u.active_users,
        u.events,

        -- Derived metric 1: rolling 7-day active users
        SUM(u.active_users) OVER (
            PARTITION BY u.company_id
            ORDER BY u.activity_date
            ROWS BETWEEN 6 PRECEDING AND CURRENT ROW
        ) AS "7d_active_users",

        -- Derived metric 2: churn risk flag (no events in last 14 days)
        CASE
            WHEN SUM(u.events) OVER (
                PARTITION BY u.company_id
                ORDER BY u.activity_date
                ROWS BETWEEN 13 PRECEDING AND CURRENT ROW
            ) = 0 THEN TRUE
            ELSE FALSE
        END AS is_churn_risk,

        -- Derived metric 3: engagement intensity
        u.events / NULLIF(u.active_users, 0) AS events_per_user,

        -- Derived metric 4: days since last CRM contact
        u.activity_date - c.last_contact_at::DATE AS days_since_last_contact,

        CURRENT_TIMESTAMP AS loaded_at

    FROM daily_usage u
    LEFT JOIN crm c
        ON u.company_id = c.company_id
)

SELECT * FROM joined
