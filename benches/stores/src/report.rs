//! Numbers in order, and the table.

use std::fmt::Write as _;

use serde_json::Value;

/// The middle of some numbers; NaN of none.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    quantile(&mut numbers, 0.5)
}

/// The number below which this share of all lies; NaN of none.
pub(crate) fn quantile(numbers: &mut [f64], share: f64) -> f64 {
    if numbers.is_empty() {
        return f64::NAN;
    }
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[((numbers.len() - 1) as f64 * share).round() as usize]
}

/// A line of the table: what it says, where that is in a store's result, how many decimals, and what
/// it is divided by.
const LINES: [(&str, &str, usize, f64); 17] = [
    ("durable records/s, 1,000 a transaction", "/load/records_per_second", 0, 1.0),
    ("slowest transaction, ms", "/load/slowest_transaction_ms", 0, 1.0),
    ("resident memory at most in the load, MB", "/load/memory/resident_peak_bytes", 0, 1e6),
    ("disk at most in the load, MB", "/disk/peak_bytes", 0, 1e6),
    ("disk once settled, MB", "/disk/settled_bytes", 0, 1e6),
    ("disk compacted by hand, MB (live)", "/disk/live_bytes", 0, 1e6),
    ("disk at most / live", "/disk/peak_to_live", 2, 1.0),
    ("disk settled / live", "/disk/settled_to_live", 2, 1.0),
    ("disk at most in that compaction / live", "/disk/compaction_peak_to_live", 2, 1.0),
    ("open, ms (median)", "/open/median_ms", 2, 1.0),
    ("open after kill -9, ms (median)", "/open_after_kill/median_ms", 2, 1.0),
    ("get by id, µs (median)", "/read/again/median_us", 2, 1.0),
    ("get by id, µs (p99)", "/read/again/p99_us", 2, 1.0),
    ("get by id, first, µs (median)", "/read/first/median_us", 2, 1.0),
    ("single commits/s, 1 thread", "/commits/one_per_second", 0, 1.0),
    ("single commits/s, 8 threads", "/commits/eight_per_second", 0, 1.0),
    ("8 threads / 1 thread", "/commits/ratio", 2, 1.0),
];

/// All stores beside each other, in Markdown.
pub(crate) fn table(results: &[(String, Value)]) -> String {
    let mut out = String::from("| |");
    for (name, _) in results {
        write!(out, " {name} |").expect("a string takes all");
    }
    out.push_str("\n|---|");
    out.push_str(&"---:|".repeat(results.len()));
    out.push('\n');
    for (title, pointer, decimals, unit) in LINES {
        write!(out, "| {title} |").expect("a string takes all");
        for (_, result) in results {
            match result.pointer(pointer).and_then(Value::as_f64) {
                Some(number) => write!(out, " {} |", grouped(number / unit, decimals)),
                None => write!(out, " |"),
            }
            .expect("a string takes all");
        }
        out.push('\n');
    }
    out
}

/// A number with commas between thousands.
fn grouped(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(w, r)| (w, Some(r)));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantiles_are_those_of_the_order() {
        let mut numbers: Vec<f64> = (0..101).rev().map(f64::from).collect();
        assert_eq!((quantile(&mut numbers, 0.5), quantile(&mut numbers, 0.99)), (50.0, 99.0));
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_table_has_a_column_a_store_and_blanks_where_nothing_was_measured() {
        let result = json!({"load": {"records_per_second": 12_345.6}});
        let table = table(&[("a".to_owned(), result), ("b".to_owned(), json!({}))]);
        assert!(table.contains("| durable records/s, 1,000 a transaction | 12,346 | |"), "{table}");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(1_234_567.891, 1), "1,234,567.9");
        assert_eq!(grouped(-123.0, 0), "-123");
        assert_eq!(grouped(12.5, 2), "12.50");
    }
}
