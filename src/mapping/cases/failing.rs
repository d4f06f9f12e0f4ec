//! All cases of all mappings, for who only wants to know which of them fail.

use super::{Case, Coverage};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::Mapping;
use crate::model::Code;
use std::sync::Arc;

/// Reports under `code` every case that fails, and every one that cannot be read. The files are
/// those of the definitions; `mapping` gives the mapping of a name.
pub fn failing(
    files: &[Arc<SourceFile>],
    mapping: impl Fn(&str) -> Option<Arc<Mapping>>,
    code: &'static Code,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for file in files {
        let Some((name, _)) = file
            .path
            .strip_prefix("mappings/")
            .filter(|rest| rest.ends_with(".yaml"))
            .and_then(|rest| rest.split_once("/cases/"))
        else {
            continue;
        };
        let Some(mapping) = mapping(name) else { continue };
        let Some(case) = Case::load(file, diagnostics) else { continue };
        let outcome = case.run(&mapping, &mut Coverage::of(&mapping));
        if !outcome.passed {
            let location = Location { file: Arc::clone(file), span: 0..0 };
            let shown: Vec<String> = outcome.differences.into_iter().take(3).collect();
            let message = format!("{}: {}", outcome.name, shown.join("; "));
            diagnostics.push(Diagnostic::error(code, location, message));
        }
    }
}
