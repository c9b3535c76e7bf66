INSERT INTO crm_snapshots (effective_on, path, companies)
VALUES ($1, $2, $3)
ON CONFLICT (effective_on) DO UPDATE SET path = excluded.path, companies = excluded.companies
