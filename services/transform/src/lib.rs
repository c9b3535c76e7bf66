//! df_build_fact_company_activity and act_validate_row_counts.
