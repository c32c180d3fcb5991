// SPDX-License-Identifier: GPL-3.0-only
//! The split of a fee, as a table and as JSON.

use super::settlement::Answer;
use crate::table;

/// Returns the fee split as a table.
pub fn fee_table(answer: &Answer) -> String {
    let share = |part: u128| {
        let percent = 100.0 * part as f64 / answer.fee.max(1) as f64;
        format!("{percent:.1} %")
    };
    let mut rows: Vec<Vec<String>> = answer
        .split
        .iter()
        .map(|(name, part)| vec![name.clone(), table::tokens(*part), share(*part)])
        .collect();
    rows.push(vec!["total".to_owned(), table::tokens(answer.fee), share(answer.fee)]);
    table::render(&["recipient", "AGO", "share"], &rows)
}

/// Returns the fee split as JSON; an amount of more than 53 bits is a string, because JavaScript cannot represent it.
pub fn fee_json(answer: &Answer) -> serde_json::Value {
    let amount = |n: u128| match u64::try_from(n) {
        Ok(small) if small < 1 << 53 => serde_json::Value::from(small),
        _ => n.to_string().into(),
    };
    let mut parts: serde_json::Map<String, serde_json::Value> = answer
        .split
        .iter()
        .map(|(name, part)| (name.replace(' ', "_"), amount(*part)))
        .collect();
    parts.insert("total".to_owned(), amount(answer.fee));
    parts.into()
}
