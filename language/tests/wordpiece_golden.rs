//! Our tokenizer against the reference one, on texts and ids that `golden/make_golden.py` recorded.

use language::WordPiece;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn every_golden_text_gets_the_reference_ids() {
    let pieces = WordPiece::from_vocabulary(include_bytes!("golden/vocab.txt")).unwrap();
    assert_eq!(pieces.token_count(), 30_522);
    let mut count = 0;
    for line in include_str!("golden/wordpiece.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        assert_eq!(pieces.encode(&case.text), case.ids, "{:?}", case.text);
        count += 1;
    }
    assert!(count > 300, "the golden file holds only {count} texts");
}
