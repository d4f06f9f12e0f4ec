//! 予診票情報 as PMH takes it: one planned dose of one person, with the ひな形 it is answered by.

use crate::counterparts::json::Check;
use crate::counterparts::ledger::Applied;
use crate::counterparts::pmh_items::{Content, Item, Number};
use crate::counterparts::xml::Form;
use crate::numbers::{is_atena_number, is_my_number};
use serde::Deserialize;

/// 予診票情報: 登録/更新 (`1`) or 削除 (`2`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuestionnaireItem {
    modification_seg: String,
    my_number: String,
    municipality_identity_key: String,
    vaccination_plan_id: String,
    history_number: Number,
    is_deleted: String,
    template_key: String,
    vaccination_setting_id: Option<String>,
    vaccine_code: String,
    dose_number: Number,
    combination_number: Option<String>,
    recommendation_id: Option<String>,
    recommendation_rule_id: Option<String>,
    recommendation_date: Option<String>,
    available_from: Option<String>,
    available_until: Option<String>,
    forced_expiration_date: Option<String>,
    is_vaccination_prohibited: bool,
}

impl Item for QuestionnaireItem {
    fn check(&self, check: &mut Check) {
        let deleted = if self.modification_seg == "2" { "1" } else { "0" };
        check.form("modificationSeg", &self.modification_seg, Form::OneOf(&["1", "2"]));
        check.that("isDeleted", self.is_deleted == deleted);
        check.that("myNumber", is_my_number(&self.my_number));
        let key = &self.municipality_identity_key;
        check.that("municipalityIdentityKey", is_atena_number(key));
        check.form("vaccinationPlanId", &self.vaccination_plan_id, Form::Identifier(40));
        check.that("historyNumber", self.history_number.good());
        check.form("templateKey", &self.template_key, Form::Identifier(40));
        check.form("vaccineCode", &self.vaccine_code, Form::Identifier(20));
        check.that("doseNumber", self.dose_number.good());
        let ids = [
            ("vaccinationSettingId", &self.vaccination_setting_id),
            ("combinationNumber", &self.combination_number),
            ("recommendationId", &self.recommendation_id),
            ("recommendationRuleId", &self.recommendation_rule_id),
        ];
        for (name, id) in ids {
            check.optional(name, id.as_ref(), Form::Identifier(40));
        }
        let recommended = self.recommendation_id.is_some();
        check.that("recommendationDate", self.recommendation_date.is_some() == recommended);
        let days = [
            ("recommendationDate", &self.recommendation_date),
            ("availableFrom", &self.available_from),
            ("availableUntil", &self.available_until),
            ("forcedExpirationDate", &self.forced_expiration_date),
        ];
        for (name, day) in days {
            check.optional(name, day.as_ref(), Form::Date);
        }
    }

    fn applied(self) -> (String, Applied) {
        let key = format!("{}/{}", self.vaccination_plan_id, self.history_number.text());
        let mut content = Content::default();
        content.put("deleted", &self.is_deleted);
        content.put("my_number", &self.my_number);
        content.put("template", &self.template_key);
        content.put("vaccine", &self.vaccine_code);
        content.put("dose", &self.dose_number.text());
        content.put("prohibited", if self.is_vaccination_prohibited { "1" } else { "0" });
        content.maybe("setting", self.vaccination_setting_id);
        content.maybe("combination", self.combination_number);
        content.maybe("recommendation", self.recommendation_id);
        content.maybe("rule", self.recommendation_rule_id);
        content.maybe("recommended", self.recommendation_date);
        content.maybe("from", self.available_from);
        content.maybe("until", self.available_until);
        content.maybe("expires", self.forced_expiration_date);
        let person = self.municipality_identity_key;
        let operation = "questionnaire";
        let applied = Applied { operation, key: key.clone(), person, content: content.0 };
        (format!("questionnaire:{key}"), applied)
    }
}
