//! Looking at the record is recorded before anything is shown.

use crate::cli::operator::{Acting, Reasons, post_json};
use crate::cli::trouble::Trouble;
use crate::ops::record::Access;

/// Writes the entry, into the store itself or through the gateway that has it.
pub(super) async fn note(
    acting: &Acting<'_>,
    act: &'static str,
    subject: Option<String>,
    count: usize,
    reasons: &Reasons,
) -> Result<(), Trouble> {
    let access = Access {
        act: act.to_owned(),
        subject,
        count: count as u64,
        about: None,
        operator: reasons.operator.clone(),
        reason: reasons.reason.clone(),
    };
    write(acting, access).await
}

/// The same for an access of any kind.
pub(in crate::cli) async fn write(acting: &Acting<'_>, access: Access) -> Result<(), Trouble> {
    match acting {
        Acting::Here { store, clock, .. } => {
            Ok(store.note(vec![access.draft(clock.now())]).await?)
        }
        Acting::There { address, token } => {
            post_json(*address, token, "/api/v1/record/access", &access).await
        }
    }
}
