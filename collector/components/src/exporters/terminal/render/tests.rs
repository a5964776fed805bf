use super::*;

const START: u64 = 1_700_000_000_000_000_000;

fn row(id: u8, parent: u8, start_us: u64, length_us: u64) -> Row {
    Row {
        trace_id: [0xab; 16],
        span_id: [id; 8],
        parent: (parent != 0).then_some([parent; 8]),
        start: START + start_us * 1000,
        end: START + (start_us + length_us) * 1000,
        service: "shop".into(),
        name: format!("GET {id}"),
        target: String::new(),
        kind: "server",
        http_status: Some(200),
        error: None,
    }
}

fn tree(rows: &[Row], is_coloured: bool) -> String {
    let mut out = Vec::new();
    put_trace(&mut out, &[0xab; 16], rows, is_coloured);
    String::from_utf8(out).unwrap()
}

fn check(rows: &[Row], expected: &str) {
    let found = tree(rows, false);
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn a_trace_is_drawn_as_a_tree_in_the_order_of_time() {
    let failed = Row {
        kind: "client",
        target: "http://pay/x".to_owned(),
        http_status: Some(503),
        error: Some("503".to_owned()),
        ..row(3, 1, 400, 9_000)
    };
    let lost = Row {
        http_status: None,
        error: Some("no_response".to_owned()),
        ..row(4, 3, 500, 1_500_000)
    };
    check(
        &[lost, failed, row(2, 1, 100, 5), row(1, 0, 0, 12_345), row(5, 2, 101, 0)],
        "trace abababababababababababababababab  22:13:20.000Z  5 spans  1.50s\n\
         └─ shop  GET 1  server  200  12.3ms\n\
         \u{20}  ├─ shop  GET 2  server  200  5us  +100us\n\
         \u{20}  │  └─ shop  GET 5  server  200  0ns  +101us\n\
         \u{20}  └─ shop  GET 3 http://pay/x  client  503 error  9.00ms  +400us\n\
         \u{20}     └─ shop  GET 4  server  no_response  1.50s  +500us\n",
    );
}

#[test]
fn a_span_whose_parent_is_elsewhere_is_a_root() {
    check(
        &[row(2, 9, 0, 10), row(3, 8, 5, 10)],
        "trace abababababababababababababababab  22:13:20.000Z  2 spans  15us\n\
         ├─ shop  GET 2  server  200  10us\n\
         └─ shop  GET 3  server  200  10us  +5us\n",
    );
}

#[test]
fn whatever_the_ids_say_each_span_is_drawn_once() {
    let own_parent = row(1, 1, 0, 1);
    let circle = [row(2, 3, 0, 1), row(3, 2, 0, 1)];
    let twins = [row(4, 0, 0, 1), row(4, 0, 0, 1), row(5, 4, 0, 1)];
    let mut chain: Vec<Row> = (6..=200).map(|id| row(id, id - 1, 0, 1)).collect();
    chain.extend([own_parent]);
    chain.extend(circle);
    chain.extend(twins);
    let text = tree(&chain, false);
    assert_eq!(text.lines().count(), chain.len() + 1, "{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest < 200, "a line of {widest} characters");
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let rows = [Row {
        error: Some("500".to_owned()),
        http_status: Some(500),
        ..row(1, 0, 0, 1)
    }];
    assert!(!tree(&rows, false).contains('\x1b'));
    let coloured = tree(&rows, true);
    assert!(coloured.contains("\x1b[31m500 error\x1b[0m"), "{coloured}");
    let plain: String = coloured
        .split('\x1b')
        .map(|part| part.split_once('m').map_or(part, |(_, rest)| rest))
        .collect();
    assert_eq!(plain.len(), tree(&rows, false).len());
}

#[test]
fn a_line_has_all_ids() {
    let mut out = Vec::new();
    put_line(&mut out, &row(2, 1, 0, 1_500), false);
    let expected = "22:13:20.000Z  shop  GET 2  server  200  1.50ms  \
        trace=abababababababababababababababab span=0202020202020202 parent=0101010101010101\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
