//! act_copy_crm_csv: CRM CSV exports to stg_crm_companies.
