{{ config(
    incremental_strategy='delete+insert',
    unique_key='activity_date',
    indexes=[{'columns': ['company_id', 'activity_date'], 'unique': true}, {'columns': ['activity_date']}],
    pre_hook="set work_mem = '256MB'"
) }}
-- Days from this one on are built: new ones, and the look-back of 14 days that a late record may change.
{% if is_incremental() %}
{% set newest = run_query("select max(activity_date) from " ~ this).columns[0].values()[0] %}
{% set first = "date '" ~ newest ~ "' - 13" %}
{% else %}
{% set first = "(select min(date) from " ~ source('raw', 'product_usage') ~ ")" %}
{% endif %}
with
-- The usage that those days read.
usage as (
    select company_id, date, active_users, events
    from {{ source('raw', 'product_usage') }}
    where date >= {{ first }} - 13
),

crm as (
    select company_id, name, country, industry_tag, last_contact_at::timestamptz at time zone 'UTC' as last_contact_at
    from {{ source('raw', 'crm_companies') }}
),

-- Every company on every day, so that windows by rows are windows by calendar days, and the silent have rows.
grid as (
    select company_id, date
    from (select company_id from crm union select company_id from usage) as companies
    cross join (select distinct date from usage) as days
),

windows as (
    select
        company_id,
        date,
        coalesce(active_users, 0) as active_users,
        coalesce(events, 0) as events,
        sum(active_users) over (week rows between 6 preceding and current row) as active_users_7d,
        sum(events) over (week rows between 13 preceding and current row) as events_14d,
        count(usage.company_id) over (week rows between 13 preceding and current row) as records_14d
    from grid
    left join usage using (company_id, date)
    window week as (partition by company_id order by date)
)

select
    windows.company_id,
    date as activity_date,
    name as company_name,
    country,
    industry_tag,
    last_contact_at,
    active_users,
    events,
    coalesce(active_users_7d, 0) as "7d_active_users",
    coalesce(events_14d, 0) = 0 as is_churn_risk,
    events::double precision / nullif(active_users, 0) as events_per_user,
    date - last_contact_at::date as days_since_last_contact,
    current_timestamp as loaded_at
from windows
left join crm using (company_id)
where date >= {{ first }} and (crm.company_id is not null or records_14d > 0)
