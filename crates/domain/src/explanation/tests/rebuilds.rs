//! What is told of rows that something other than a run had changed, and of whom the CRM names.

use super::*;

#[test]
fn sums_that_do_not_add_up_although_every_day_is_known_are_no_records() {
    let mut provenance = published(numbers(1, 1));
    // Something other than a run had changed the sum.
    let changed = FactRow { active_users_7d: 90, ..row(DAY, numbers(1, 1), 2) };
    provenance.rows = vec![row(DAY, numbers(1, 1), 4)];
    provenance.replaced = vec![ReplacedRow { row: changed, replaced_at: at(4) }];
    provenance.publications.push(publication(DAY, 4));
    assert_eq!(reasons(&Explanation::of(&provenance).changes[0]), []);
}

#[test]
fn a_rebuild_tells_also_what_became_of_the_record_and_of_the_crm() {
    let mut provenance = published(numbers(3, 9));
    let named = |name: &str, row: FactRow| FactRow { company_name: Some(name.to_owned()), ..row };
    provenance.crm =
        described(CompanyAttributes { name: Some("Acme".to_owned()), ..CompanyAttributes::default() });
    provenance.rows = vec![named("Acme", row(DAY, numbers(3, 9), 4))];
    provenance.replaced =
        vec![ReplacedRow { row: named("Akme", row(DAY, numbers(1, 1), 2)), replaced_at: at(4) }];
    provenance.publications.push(DayPublication { is_rebuilt: true, ..publication(DAY, 4) });
    let statement = "rebuild: 2026-02-12 was computed anew from what is staged, as is done where something other than \
                     a run has changed what was published; the row had active_users 1, events 1, and now has \
                     active_users 3, events 9; company_name was \"Akme\", is \"Acme\": the source may have changed \
                     it, or something else had";
    assert_eq!(reasons(&Explanation::of(&provenance).changes[0]), [(ReasonKind::Rebuild, statement)]);
}

#[test]
fn the_crm_is_said_to_have_named_only_whom_it_names() {
    let mut provenance = published(numbers(0, 0));
    let mut crm =
        described(CompanyAttributes { name: Some("Acme".to_owned()), ..CompanyAttributes::default() });
    provenance.rows = vec![FactRow { company_name: Some("Acme".to_owned()), ..row(DAY, numbers(0, 0), 4) }];
    provenance.publications.push(publication(DAY, 4));
    let statement = |crm: &CrmProvenance, provenance: &Provenance| {
        let provenance = Provenance { crm: crm.clone(), ..provenance.clone() };
        Explanation::of(&provenance).changes[0].reasons[0].statement.clone()
    };
    assert!(statement(&crm, &provenance).starts_with("the CRM named the company"));
    // A later snapshot, which counts, no longer has it.
    crm.version.as_mut().unwrap().to = Some(back(2));
    crm.snapshot.as_mut().unwrap().on = back(1);
    assert_eq!(statement(&crm, &provenance), "a record without activity came for one of the 14 days");
}
