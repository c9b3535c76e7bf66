-- Publishes $1 companies on the $3 days through $2, by writing what a publish writes: a run
-- over as many sources takes longer than all queries together.
WITH
companies AS (
  SELECT
    number, 'company-' || lpad(number::TEXT, 6, '0') AS company_id,
    -- One in 25 has been silent for at least two weeks, one in 200 was never active.
    CASE
      WHEN number % 200 = 7 THEN DATE '1970-01-01'
      WHEN number % 25 = 3 THEN $2::DATE - 14 - number % GREATEST($3 - 14, 1)
      ELSE $2::DATE
    END AS last_active
  FROM generate_series(1, $1) AS numbers (number)
),
days AS (
  SELECT $2::DATE - back AS day FROM generate_series(0, $3 - 1) AS backs (back)
),
-- Active on six days of seven, each company on its own.
usage AS (
  SELECT
    number, company_id, day, last_active,
    day <= last_active AND (number + (day - DATE '1970-01-01')) % 7 > 0 AS is_active
  FROM companies CROSS JOIN days
),
rows AS (
  INSERT INTO fact_company_activity
  SELECT
    company_id, day, 'Company ' || number || ' Ltd',
    (ARRAY['Germany', 'France', 'Spain', 'Austria'])[1 + number % 4],
    (ARRAY['retail', 'software', 'health'])[1 + number % 3],
    TIMESTAMPTZ '2025-11-03T09:00:00Z' + number % 500 * INTERVAL '1 hour',
    CASE WHEN is_active THEN 1 + number % 40 ELSE 0 END,
    CASE WHEN is_active THEN 3 + number % 400 ELSE 0 END,
    CASE WHEN day - last_active > 6 THEN 0 ELSE (1 + number % 40) * 6 END,
    day - last_active > 13,
    CASE WHEN is_active THEN (3 + number % 400)::DOUBLE PRECISION / (1 + number % 40) END,
    20 + number % 90, now()
  FROM usage
  -- As publishes leave them: day after day.
  ORDER BY day, company_id
)
INSERT INTO published_days (activity_date, run_id, published_at, row_count, checksum)
SELECT day, gen_random_uuid(), now(), $1, hashtext(day::TEXT)
FROM days
