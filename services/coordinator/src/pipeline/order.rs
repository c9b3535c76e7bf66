//! The order of stages: their dependencies, and that those form no cycle.

use std::collections::{HashMap, HashSet};

use super::{error::PipelineError, stages::Stage};

/// Checks that stages have distinct names, depend only on each other, once each, and form no cycle.
pub(super) fn check(stages: &[Stage]) -> Result<(), PipelineError> {
    let mut names = HashSet::new();
    if let Some(twice) = stages.iter().find(|stage| !names.insert(stage.name.as_str())) {
        return Err(PipelineError::DuplicateStage { stage: twice.name.clone() });
    }
    for stage in stages {
        check_dependencies(stage, &names)?;
    }
    match find_cycle(stages) {
        Some(cycle) => Err(PipelineError::Cycle { cycle: cycle.join(" -> ") }),
        None => Ok(()),
    }
}

fn check_dependencies(stage: &Stage, names: &HashSet<&str>) -> Result<(), PipelineError> {
    let mut seen = HashSet::new();
    for dependency in &stage.depends_on {
        let (stage, dependency) = (stage.name.clone(), dependency.clone());
        if !names.contains(dependency.as_str()) {
            return Err(PipelineError::UnknownDependency { stage, dependency });
        }
        if !seen.insert(dependency.clone()) {
            return Err(PipelineError::DuplicateDependency { stage, dependency });
        }
    }
    Ok(())
}

/// A cycle of stages that depend on each other, with its first stage repeated
/// at the end; `None` if there is none.
fn find_cycle(stages: &[Stage]) -> Option<Vec<&str>> {
    let mut waiting: HashMap<&str, &Stage> =
        stages.iter().map(|stage| (stage.name.as_str(), stage)).collect();
    let blocked_by = |stage: &Stage, waiting: &HashMap<&str, &Stage>| {
        stage.depends_on.iter().any(|name| waiting.contains_key(name.as_str()))
    };
    loop {
        let (blocked, free): (Vec<&Stage>, Vec<&Stage>) =
            waiting.values().copied().partition(|stage| blocked_by(stage, &waiting));
        if blocked.is_empty() {
            return None;
        }
        if free.is_empty() {
            break;
        }
        for stage in free {
            waiting.remove(stage.name.as_str());
        }
    }
    // Every remaining stage depends on another remaining one, so following them leads into a cycle.
    let mut path: Vec<&str> = Vec::new();
    let mut current = stages.iter().find(|stage| waiting.contains_key(stage.name.as_str()))?;
    loop {
        if let Some(start) = path.iter().position(|name| *name == current.name) {
            path.push(&current.name);
            return path.get(start..).map(<[&str]>::to_vec);
        }
        path.push(&current.name);
        current = current.depends_on.iter().find_map(|name| waiting.get(name.as_str()))?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pipeline::stages::StageLimits;

    fn stages(edges: &[(&str, &[&str])]) -> Vec<Stage> {
        edges
            .iter()
            .map(|(name, depends_on)| Stage {
                name: (*name).to_owned(),
                service: "transform".to_owned(),
                depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
                limits: StageLimits::default(),
            })
            .collect()
    }

    fn refusal(edges: &[(&str, &[&str])]) -> String {
        check(&stages(edges)).unwrap_err().to_string()
    }

    #[test]
    fn a_diamond_in_any_order_is_accepted() {
        let diamond = stages(&[("d", &["b", "c"]), ("b", &["a"]), ("c", &["a"]), ("a", &[])]);
        assert_eq!(check(&diamond), Ok(()));
    }

    #[test]
    fn a_cycle_is_refused_stage_by_stage() {
        assert_eq!(
            refusal(&[("start", &["c"]), ("a", &[]), ("b", &["a", "d"]), ("c", &["b"]), ("d", &["c"])]),
            "stages wait for each other in a circle: c -> b -> d -> c"
        );
        assert_eq!(refusal(&[("a", &["a"])]), "stages wait for each other in a circle: a -> a");
    }

    #[test]
    fn a_dependency_that_is_no_stage_is_refused() {
        let refusal = refusal(&[("a", &[]), ("b", &["aa"])]);
        assert_eq!(refusal, "stage b: depends_on names \"aa\", which is no stage of this pipeline");
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        assert_eq!(refusal(&[("a", &[]), ("a", &[])]), "stage a is defined twice");
        assert_eq!(refusal(&[("a", &[]), ("b", &["a", "a"])]), "stage b: depends_on names \"a\" twice");
    }

    proptest! {
        #[test]
        fn stages_that_wait_only_for_earlier_ones_have_no_cycle(
            edges in proptest::collection::vec(proptest::collection::btree_set(0_usize..12, 0..4), 1..12),
            rotation in 0_usize..12,
        ) {
            let mut defined: Vec<Stage> = edges
                .iter()
                .enumerate()
                .map(|(at, earlier)| Stage {
                    name: at.to_string(),
                    service: "transform".to_owned(),
                    depends_on: earlier.iter().filter(|name| **name < at).map(usize::to_string).collect(),
                    limits: StageLimits::default(),
                })
                .collect();
            let rotation = rotation % defined.len();
            defined.rotate_left(rotation);
            prop_assert_eq!(check(&defined), Ok(()));
        }
    }
}
