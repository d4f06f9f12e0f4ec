//! The database's clock was set back: due times go back with it, once for all instances.

use super::connection::column;
use super::instances::now;
use super::tx::Tx;
use crate::store::StoreError;
use jiff::Timestamp;
use std::time::Duration;

/// Where is kept when this was last done, and by how much.
const CURSOR: &str = "clock-set-back";
/// Instances see by how much with the exactness of their looks.
const ABOUT: i64 = 5_000;

/// Due times that lie ahead, and times of a state that cannot have begun yet, go back; leases and
/// reservations last as long as they were meant to. Every instance sees that the clock was set and
/// asks for this: only the first of them has anything done.
pub(super) async fn run(
    tx: &mut Tx<'_>,
    by: Duration,
    at: Timestamp,
    lease: i64,
) -> Result<usize, StoreError> {
    let (at, by) = (at.as_millisecond(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4));
    let sql = "SELECT value FROM cursors WHERE name = $1";
    let last: Option<String> =
        tx.row(sql, &[&CURSOR]).await?.map(|row| column(&row, 0)).transpose()?;
    if last.is_some_and(|last| was_done(&last, by, at, lease)) {
        return Ok(0);
    }
    let sql = "INSERT INTO cursors (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, &[&CURSOR, &format!("{at} {by}")]).await?;
    let sql = concat!("UPDATE instances SET lease_until = least(lease_until, ", now!(), " + $1)");
    tx.execute(sql, &[&lease]).await?;
    let sql = "UPDATE exchanges SET reserved_until = least(reserved_until, $1::bigint + $2::bigint)
        WHERE reserved_until > $1::bigint + $2::bigint
            AND state NOT IN ('delivered', 'dead', 'duplicate', 'discarded')";
    tx.execute(sql, &[&at, &lease]).await?;
    let sql = "UPDATE exchanges SET
            due = CASE WHEN due > $1 THEN greatest(due - $2, $1) ELSE due END,
            since = CASE WHEN since > $1 THEN since - $2 ELSE since END
        WHERE (due > $1 OR since > $1)
            AND state NOT IN ('delivered', 'dead', 'duplicate', 'discarded')";
    let moved = tx.execute(sql, &[&at, &by]).await?;
    Ok(usize::try_from(moved).unwrap_or(usize::MAX))
}

/// Whether another instance has had this done: instances see a clock that was set within a beat, or
/// when they start.
fn was_done(last: &str, by: i64, at: i64, lease: i64) -> bool {
    let Some((then, moved)) = last.split_once(' ') else { return false };
    let (Ok(then), Ok(moved)) = (then.parse::<i64>(), moved.parse::<i64>()) else { return false };
    let since = at.saturating_sub(then);
    (-ABOUT..=lease.saturating_mul(2)).contains(&since) && by <= moved.saturating_add(ABOUT)
}

#[cfg(test)]
mod tests {
    use super::was_done;

    #[test]
    fn the_same_setting_is_done_once_and_another_one_anew() {
        assert!(was_done("1000000 3600000", 3_600_100, 1_015_000, 60_000));
        assert!(was_done("1000000 3600000", 3_590_000, 999_990, 60_000), "a start sees less of it");
        assert!(!was_done("1000000 3600000", 3_600_000, 1_130_000, 60_000), "later");
        assert!(!was_done("1000000 3600000", 7_200_000, 1_015_000, 60_000), "further");
        assert!(!was_done("1000000 3600000", 600_000, -2_600_000, 60_000), "before it");
        assert!(!was_done("", 1, 1, 1));
    }
}
