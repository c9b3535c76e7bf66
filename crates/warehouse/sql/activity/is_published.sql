-- Whether day $1 is published.
SELECT EXISTS (SELECT 1 FROM published_days WHERE activity_date = $1) AS "is_published!: bool"
