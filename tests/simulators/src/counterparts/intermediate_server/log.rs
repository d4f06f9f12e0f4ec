//! 情報提供等記録 as it is handed out (IF_TKM_40124): every 求め that has an end, in both directions.

use super::IntermediateServer;
use crate::counterparts::times;
use jiff::civil::Date;

/// Head of the file.
pub const HEAD: &str = "ProcessingNumber,Side,Inquirer,Provider,RequestedAt,ProvidedAt,\
     InformationCode,NotDisclosed,AnsweredBy";

impl IntermediateServer {
    /// The file of these days, both included.
    pub(super) fn log_of(&self, from: Date, to: Date) -> String {
        let state = self.state();
        let at = |ms: i64| times::japan(ms).strftime("%Y%m%d%H%M%S%3f").to_string();
        let within = |ms: i64| (from..=to).contains(&times::day(ms));
        let mut rows = Vec::new();
        let now = crate::clock::now_ms();
        for (number, inquiry) in &state.inquiries {
            if inquiry.ready_ms > now || !within(inquiry.asked_ms) {
                continue;
            }
            let provided = match self.unavailable(inquiry) {
                true => String::new(),
                false => at(inquiry.ready_ms),
            };
            let hidden = inquiry.asked.get("not_disclosed").map_or("0", String::as_str);
            rows.push(format!(
                "{number},1,見本市長,試験市長,{},{provided},{},{hidden},",
                at(inquiry.asked_ms),
                inquiry.information
            ));
        }
        for (number, asked) in &state.demands {
            let Some(answer) = asked.answer.as_ref().filter(|_| within(asked.at_ms)) else {
                continue;
            };
            let inquirer = match asked.demand.kind {
                "1" => "試験市長",
                "2" => "試験県知事",
                _ => "厚生労働大臣",
            };
            let provided = if answer.is_available { at(answer.at_ms) } else { String::new() };
            rows.push(format!(
                "{number},2,{inquirer},見本市長,{},{provided},TM00000000000084,{},{}",
                at(asked.at_ms),
                u8::from(asked.hidden),
                if answer.how == "automatic" { "1" } else { "2" }
            ));
        }
        let lines = std::iter::once(HEAD.to_owned()).chain(rows);
        lines.map(|line| line + "\r\n").collect()
    }
}
