// SPDX-License-Identifier: GPL-3.0-only
//! Plain-text tables and amounts.

/// Returns a table. The first column is left-aligned; another column is right-aligned if all its cells are numbers.
pub fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain(head.get(column).map(|cell| cell.chars().count()))
            .max()
            .unwrap_or(0)
    };
    let numeric = |column: usize| {
        column > 0
            && !rows.is_empty()
            && rows
                .iter()
                .filter_map(|row| row.get(column))
                .all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !cell.contains("0x"))
    };
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let width = width(column);
                if numeric(column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = (0..head.len()).map(|column| "-".repeat(width(column))).collect();
    let mut lines = vec![line(&head), rule.join("  ")];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// Returns an amount in the smallest unit as native tokens (12 decimals).
pub fn tokens(amount: u128) -> String {
    const UNIT: u128 = 1_000_000_000_000;
    let text = format!("{}.{:012}", amount / UNIT, amount % UNIT);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_formatted_exactly() {
        assert_eq!(tokens(0), "0");
        assert_eq!(tokens(1), "0.000000000001");
        assert_eq!(tokens(64_000_000_000), "0.064");
        assert_eq!(tokens(2_500_000_000_000), "2.5");
        assert_eq!(tokens(10_000_000_000_000), "10");
    }

    #[test]
    fn numbers_are_right_aligned_and_text_is_left_aligned() {
        let rows = vec![
            vec!["executor".into(), "900".into()],
            vec!["treasury".into(), "7".into()],
        ];
        assert_eq!(
            render(&["to", "amount"], &rows),
            "to        amount\n--------  ------\nexecutor     900\ntreasury       7"
        );
    }
}
