-- Counts the rows of the days $1 to $2 again if the $3 that were written are many.
SELECT analyze_if_grown('fact_company_activity', $1, $2, $3)
