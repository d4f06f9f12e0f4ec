//! The routes of the year, and what the run must know of each.

use crate::counterparts::{
    APPLICATION_INTAKE, APPLICATION_MANAGEMENT, INTEGRATED_DATABASE, INTERMEDIATE_SERVER, PMH,
};

/// The health system itself, as the owner of what reached it.
pub const HEALTH: &str = "health";
/// Name of the 予約システム, which takes files.
pub const RESERVATION: &str = "reservation";
/// Name of the 中間サーバー where it takes and gives files.
pub const INTERMEDIATE_SERVER_FILES: &str = "intermediate-server-files";
/// Staff, as the owner of what was decided.
pub const STAFF: &str = "staff";
/// Name of the 生活保護システム, which gives files.
pub const PUBLIC_ASSISTANCE: &str = "public-assistance";

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Its name.
    pub name: &'static str,
    /// Whose it is.
    pub counterpart: &'static str,
    /// The type that comes to upstream for each message it delivers.
    pub reply: Option<&'static str>,
    /// Whether messages rightly wait until a time of day.
    pub gathers: bool,
}

const fn route(name: &'static str, counterpart: &'static str) -> Route {
    Route { name, counterpart, reply: None, gathers: false }
}

const fn answered(name: &'static str, counterpart: &'static str, reply: &'static str) -> Route {
    Route { name, counterpart, reply: Some(reply), gathers: false }
}

/// All of them.
pub const ALL: &[Route] = &[
    route("subject-to-pmh", PMH),
    route("vaccination-record-to-pmh", PMH),
    route("notice-to-pmh", PMH),
    route("vaccination-record-to-copy-by-date", INTERMEDIATE_SERVER),
    route("notice-to-osr", INTERMEDIATE_SERVER),
    answered("inquiry-to-intermediate-server", INTERMEDIATE_SERVER, "inquiry.answered"),
    answered("application-to-health", APPLICATION_INTAKE, "application.received"),
    route("application-progress-to-management", APPLICATION_MANAGEMENT),
    route("application-decision-to-management", APPLICATION_MANAGEMENT),
    route("subject-removal-to-copy", INTERMEDIATE_SERVER),
    answered("inquiry-item-28", INTERMEDIATE_SERVER, "inquiry.by-item.answered"),
    answered("pmh-record-to-health", PMH, "vaccination.record.received"),
    answered("pmh-questionnaire-answer-to-health", PMH, "questionnaire.answered"),
    answered("pmh-id-to-health", PMH, "subject.pmh-id.assigned"),
    answered("resident-change-to-health", INTEGRATED_DATABASE, "resident.changed"),
    answered("welfare-status-to-health", PUBLIC_ASSISTANCE, "welfare.status-received"),
    Route { gathers: true, ..route("subject-to-reservation-file", RESERVATION) },
    route("provision-log-request-to-file", INTERMEDIATE_SERVER_FILES),
    route("flag-record-automatic-to-intermediate-server", INTERMEDIATE_SERVER),
    route("flag-person-automatic-to-intermediate-server", INTERMEDIATE_SERVER),
    route("flag-record-disclosure-to-intermediate-server", INTERMEDIATE_SERVER),
    route("flag-person-disclosure-to-intermediate-server", INTERMEDIATE_SERVER),
    answered("demand-item-25", INTERMEDIATE_SERVER, "provision.demanded"),
    answered("demand-item-26", INTERMEDIATE_SERVER, "provision.demanded"),
    answered("demand-item-27", INTERMEDIATE_SERVER, "provision.demanded"),
    answered("demand-item-153", INTERMEDIATE_SERVER, "provision.demanded"),
    answered("demand-item-154", INTERMEDIATE_SERVER, "provision.demanded"),
    answered("provision-answer-item-25", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-answer-item-26", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-answer-item-27", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-answer-item-153", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-answer-item-154", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-permission-item-25", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-permission-item-26", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-permission-item-27", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-permission-item-153", INTERMEDIATE_SERVER, "provision.answered"),
    answered("provision-permission-item-154", INTERMEDIATE_SERVER, "provision.answered"),
];

/// The route of a name.
pub fn of(name: &str) -> Option<&'static Route> {
    ALL.iter().find(|route| route.name == name)
}

/// Whether its answers come when others give them.
pub fn asks(name: &str) -> bool {
    name.starts_with("inquiry-")
}

/// The names as a list of TOML.
pub fn toml() -> String {
    let names: Vec<String> = ALL.iter().map(|route| format!("\"{}\"", route.name)).collect();
    names.join(", ")
}
