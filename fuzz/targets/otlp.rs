//! An encoded request of any signal: counting, editing and cutting must agree on its items, and JSON on whether it is
//! well formed.
#![no_main]

use collector_pdata::attributes::Editor;
use collector_pdata::edit::{Change, Edit, rewrite};
use collector_pdata::{ItemKind, Malformed, Payload, Signal, count, json, split};
use libfuzzer_sys::fuzz_target;

/// Drops every third item, and edits the others' attributes.
#[derive(Default)]
struct Third {
    editor: Editor,
    seen: usize,
}

impl Edit for Third {
    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.seen += 1;
        if self.seen % 3 == 0 {
            return Ok(Change::Drop);
        }
        let mut open = self.editor.open(item, kind.attributes_field())?;
        open.upsert(b"a", b"\x10\x01");
        open.delete(b"b");
        Ok(open.finish(out))
    }
}

fuzz_target!(|request: &[u8]| {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let items = count(signal, request);
        if let Ok(rewritten) = rewrite(signal, request, &mut Third::default()) {
            assert_eq!(items, Ok(rewritten.kept + rewritten.dropped));
            let after = rewritten.request.as_deref().unwrap_or(request);
            assert_eq!(count(signal, after), Ok(rewritten.kept));
        }
        if let Ok(items) = items {
            let payload = Payload::new(signal, request.to_vec().into(), items);
            let parts = split::parts(payload, 2, 1000).expect("what can be counted can be cut");
            assert_eq!(parts.iter().map(Payload::items).sum::<usize>(), items);
        }
    }
    let mut text = Vec::new();
    if json::put_traces(&mut text, [request]).is_ok() {
        assert!(
            count(Signal::Traces, request).is_ok(),
            "JSON of a request whose spans cannot be counted"
        );
        assert!(std::str::from_utf8(&text).is_ok(), "JSON that is not UTF-8");
    }
});
