//! Whether definitions may be put in force: lint, agreement with the configuration, all cases.

use super::{Config, agree, definitions};
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{Diagnostic, Location, Severity, SourceFile};
use crate::mapping::cases;
use crate::model::codes::config as codes;
use std::sync::Arc;

/// Definitions that may be put in force.
#[derive(Debug)]
pub struct Tried {
    /// What they are compiled to.
    pub bundle: Bundle,
    /// Their texts.
    pub files: Vec<Arc<SourceFile>>,
}

/// Reads the definitions that a configuration names and tries them.
///
/// # Errors
/// Every problem, warnings among them.
pub fn run(config: &Config) -> Result<Tried, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let files = definitions::read(&config.definitions, &mut problems);
    if files.is_empty() {
        let file = SourceFile::new(config.definitions.display().to_string(), "");
        let location = Location { file, span: 0..0 };
        problems.push(Diagnostic::error(&codes::NO_DEFINITIONS, location, "nothing is there"));
    }
    let bundle = Bundle::build(&files, &config.enabled, &config.overrides(), &mut problems);
    if let Some(bundle) = &bundle {
        problems.append(&mut agree::check(config, bundle));
        let mapping = |name: &str| bundle.mappings.get(name).cloned();
        cases::failing(&files, mapping, &codes::CASE_FAILED, &mut problems);
    }
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    match bundle {
        Some(bundle) if !failed => Ok(Tried { bundle, files }),
        _ => Err(problems),
    }
}

/// Definitions that were in force once, out of their texts. No route of them takes new messages.
pub fn again(config: &Config, files: &[(String, String)]) -> Option<Bundle> {
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(path.clone(), text.clone())).collect();
    Bundle::build(&files, &Enabled::These(Vec::new()), &config.overrides(), &mut Vec::new())
}
