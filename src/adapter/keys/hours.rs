//! The keys of `hours:` and `availability:`, and of calendars of holidays.

use super::{OUTCOMES, OUTCOMES_DOC, REQUEST, RESPONSE, RESPONSE_DOC};
use crate::diagnostic::keys::{File, Form, Key, Keys};

/// `adapters/calendars/<name>.yaml`.
pub static CALENDAR_FILE: File = File {
    name: "calendar",
    title: "A calendar of holidays (adapters/calendars/<name>.yaml)",
    root: Form::Map(&CALENDAR),
};

const SPANS: Form = Form::Either(&[Form::Text, Form::List(&Form::Text)]);
const SPANS_DOC: &str = "HH:MM-HH:MM, a list of them, or closed.";
const DATE: Form = Form::Pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$");

pub(in crate::adapter) static HOURS: Keys = Keys::new(
    "hours",
    "hours",
    "When the counterpart is open, in Japan's time. What is closed is not sent to and not asked.",
    &[
        Key::new("calendar", Form::Text, "Holidays: a file of adapters/calendars."),
        Key::new("open", Form::Map(&WEEK), "By weekday; without it: day and night."),
        Key::new("open-days", Form::Names(&SPANS), "Days (2026-12-29) with hours of their own."),
        Key::new("closed-days", Form::List(&DATE), "Days without any."),
        Key::new("maintenance", Form::List(&Form::Map(&WINDOW)), "Planned: cut out of all hours."),
    ],
);

pub(in crate::adapter) static WEEK: Keys = Keys::new(
    "week",
    "open",
    "Hours by weekday; a day that is not named is closed.",
    &[
        Key::new("weekdays", SPANS, "Monday to Friday. HH:MM-HH:MM, a list of them, or closed."),
        Key::new("mon", SPANS, SPANS_DOC),
        Key::new("tue", SPANS, SPANS_DOC),
        Key::new("wed", SPANS, SPANS_DOC),
        Key::new("thu", SPANS, SPANS_DOC),
        Key::new("fri", SPANS, SPANS_DOC),
        Key::new("sat", SPANS, SPANS_DOC),
        Key::new("sun", SPANS, SPANS_DOC),
        Key::new("holidays", SPANS, "On the days of the calendar.").default("closed"),
    ],
);

/// The keys of the week, Monday first.
pub(in crate::adapter) const WEEKDAYS: [&str; 7] =
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A window of maintenance, here and in `watashi.toml`.
pub static WINDOW: Keys = Keys::new(
    "maintenance",
    "a window of maintenance",
    "From and to, in Japan's time.",
    &[
        Key::new("from", Form::Text, "Its beginning: 2026-12-05T22:00.").required(),
        Key::new("to", Form::Text, "Its end: 2026-12-06T06:00.").required(),
    ],
);

pub(in crate::adapter) static AVAILABILITY: Keys = Keys::new(
    "availability",
    "availability",
    "Asking the counterpart whether it is open; beside the declared hours.",
    &[
        Key::new("every", Form::Duration, "How often.").default("60s"),
        Key::new(
            "keep-for",
            Form::Duration,
            "How long an answer holds when no clear one follows; then the hours count alone.",
        )
        .default("10m"),
        Key::new(
            "request",
            Form::Map(&REQUEST),
            "What asks; a mapping starts at watashi/cursor@1.",
        )
        .required(),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC).required(),
    ],
);

pub(in crate::adapter) static CALENDAR: Keys = Keys::new(
    "calendar",
    "a calendar",
    "Which days are holidays.",
    &[
        Key::new("calendar", Form::Text, "Its name, which is its file's.").required(),
        Key::new(
            "yearly",
            Form::List(&Form::Pattern("^[0-9]{2}-[0-9]{2}$")),
            "Days of every year: 12-31.",
        ),
        Key::new("holidays", Form::Names(&Form::Text), "Single days with their names.").required(),
    ],
);
