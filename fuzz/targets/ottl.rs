//! Texts of the transformation language, and what they do to encoded items.
#![no_main]

use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Condition, Context, MAX_LENGTH, Statement, parse_condition};
use collector_pdata::ItemKind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, Vec<u8>)| {
    let (text, item) = input;
    if let Ok(tree) = parse_condition(&text) {
        let printed = tree.to_string();
        if printed.len() <= MAX_LENGTH {
            let again = parse_condition(&printed).map(|tree| tree.to_string());
            assert_eq!(again, Ok(printed));
        }
    }
    let mut outer = [Layer::resource(&item), Layer::scope(&item)];
    for (context, kind) in [
        (Context::Span, ItemKind::Span),
        (Context::Log, ItemKind::LogRecord),
        (Context::DataPoint, ItemKind::Sum),
    ] {
        let mut inner = [Layer::item(kind, &item)];
        let mut layers = Layers {
            outer: &mut outer,
            inner: &mut inner,
        };
        if let Ok(condition) = Condition::compile(context, &text) {
            let _ = condition.holds(&layers);
        }
        if let Ok(statement) = Statement::compile(context, &text) {
            let _ = statement.run(&mut layers);
            let _ = inner[0].finish(&mut Vec::new());
        }
    }
});
