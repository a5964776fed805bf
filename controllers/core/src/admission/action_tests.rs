use super::*;
use serde_json::{Value, json};

fn action(mut spec: Value) -> Action {
    if spec.get("signals").is_none() {
        spec["signals"] = json!(["TRACES"]);
    }
    let object = json!({
        "apiVersion": "odigos.io/v1alpha1",
        "kind": "Action",
        "metadata": {"name": "a", "namespace": "odigos-system"},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn refused(spec: Value) -> String {
    findings(&action(spec), None).sentence()
}

fn warned(spec: Value) -> String {
    let findings = findings(&action(spec), None);
    assert_eq!(findings.problems, []);
    let warnings: Vec<_> = findings.warnings.iter().map(ToString::to_string).collect();
    warnings.join("; ")
}

#[test]
fn exactly_one_change_is_taken() {
    assert_eq!(
        refused(json!({})),
        "spec: says no change: give one of addClusterInfo, deleteAttribute, renameAttribute, k8sAttributes, piiMasking, \
         urlTemplatization, spanRenamer, extractAttribute, dbQueryTemplatization, inferDbAttributes"
    );
    let two = json!({"renameAttribute": {"renames": {"a": "b"}}, "inferDbAttributes": {}});
    assert_eq!(
        refused(two),
        "spec: says renameAttribute and inferDbAttributes: make an Action for each"
    );
    for change in [
        json!({"addClusterInfo": {"clusterAttributes": [{"attributeName": "a", "attributeStringValue": ""}]}}),
        json!({"deleteAttribute": {"attributeNamesToDelete": ["a"]}}),
        json!({"renameAttribute": {"renames": {"a": "b"}}}),
        json!({"k8sAttributes": {"labelsAttributes": [{"labelKey": "app.kubernetes.io/name", "attributeKey": "app"}]}}),
        json!({"piiMasking": {"piiCategories": ["EMAIL"]}}),
        json!({"urlTemplatization": {"rules": [{"templates": ["/user/{id}", "/v/{n:[0-9]+}"]}]}}),
        json!({"urlTemplatization": {"default": [{}]}}),
        json!({"spanRenamer": {"programmingLanguage": "java", "scopeName": "s",
            "regexReplacements": [{"regexPattern": "a(.)", "templateText": "b$1"}]}}),
        json!({"extractAttribute": {"extractions": [{"targetAttributeName": "t", "regex": "id=(.*)"}]}}),
        json!({"extractAttribute": {"extractions": [{"targetAttributeName": "t", "lookupKey": "k", "dataFormat": "json"}]}}),
        json!({"dbQueryTemplatization": {"templatizeLiterals": true}}),
        json!({"inferDbAttributes": {}}),
    ] {
        assert_eq!(warned(change.clone()), "", "{change}");
    }
}

#[test]
fn a_change_of_spans_needs_traces() {
    assert_eq!(
        refused(json!({"signals": ["LOGS"], "inferDbAttributes": {}})),
        "spec.signals: has no TRACES, and inferDbAttributes changes nothing but spans: add TRACES"
    );
    assert_eq!(
        refused(json!({"signals": [], "inferDbAttributes": {}})),
        "spec.signals: is empty: give at least one of TRACES, METRICS, LOGS"
    );
}

#[test]
fn names_of_attributes_are_given_once() {
    let attributes = json!([
        {"attributeName": "a", "attributeStringValue": "1"},
        {"attributeName": "a", "attributeStringValue": "2"},
        {"attributeName": " ", "attributeStringValue": "3"},
    ]);
    assert_eq!(
        refused(json!({"addClusterInfo": {"clusterAttributes": attributes}})),
        "spec.addClusterInfo.clusterAttributes[1].attributeName: \"a\" is added already: leave one of them; \
         spec.addClusterInfo.clusterAttributes[2].attributeName: is empty: give the name of an attribute"
    );
    assert_eq!(
        refused(json!({"addClusterInfo": {"clusterAttributes": []}})),
        "spec.addClusterInfo.clusterAttributes: is empty: give the attributes to add"
    );
    assert_eq!(
        refused(json!({"deleteAttribute": {"attributeNamesToDelete": []}})),
        "spec.deleteAttribute.attributeNamesToDelete: is empty: give the names of attributes"
    );
    assert_eq!(
        refused(json!({"deleteAttribute": {"attributeNamesToDelete": ["a", ""]}})),
        "spec.deleteAttribute.attributeNamesToDelete[1]: is empty: give the name of an attribute"
    );
}

#[test]
fn renames_lead_to_a_new_name() {
    assert_eq!(
        refused(json!({"renameAttribute": {"renames": {}}})),
        "spec.renameAttribute.renames: is empty: give old names with new ones"
    );
    assert_eq!(
        refused(json!({"renameAttribute": {"renames": {"": "x", "a": "a", "b": ""}}})),
        "spec.renameAttribute.renames[\"\"]: the old name is empty; spec.renameAttribute.renames[\"a\"]: the new name is the \
         old one: remove the entry; spec.renameAttribute.renames[\"b\"]: is empty: give the name of an attribute"
    );
    assert_eq!(
        warned(json!({"renameAttribute": {"renames": {"a": "b", "b": "c", "d": "c"}}})),
        "spec.renameAttribute.renames[\"a\"]: \"b\" is renamed too: which comes first is not defined, so make an Action for \
         each step; spec.renameAttribute.renames[\"d\"]: \"c\" is the new name of several: the last one wins"
    );
}

#[test]
fn keys_of_metadata_are_such_keys() {
    let spec = json!({"k8sAttributes": {
        "labelsAttributes": [{"labelKey": "a b", "attributeKey": "x"}],
        "annotationsAttributes": [
            {"annotationKey": "", "attributeKey": "x", "from": "pod"},
            {"annotationKey": "a", "attributeKey": "", "from": "cluster"},
        ],
    }});
    assert_eq!(
        refused(spec),
        "spec.k8sAttributes.labelsAttributes[0].labelKey: \"a b\" cannot be the key of labels: write it as on the object; \
         spec.k8sAttributes.annotationsAttributes[0].annotationKey: \"\" cannot be the key of annotations: write it as on the \
         object; spec.k8sAttributes.annotationsAttributes[0].attributeKey: \"x\" is written already: choose another \
         attribute; spec.k8sAttributes.annotationsAttributes[1].attributeKey: is empty: give the name of an attribute; \
         spec.k8sAttributes.annotationsAttributes[1].from: is \"cluster\": it must be one of pod, namespace, node"
    );
}

#[test]
fn masking_masks_something_by_what_compiles() {
    assert_eq!(
        refused(json!({"piiMasking": {}})),
        "spec.piiMasking: masks nothing: give piiCategories, customRegexMaskings or customFormatMaskings"
    );
    let spec = json!({"piiMasking": {
        "customRegexMaskings": [{"regex": "a"}, {"regex": "["}],
        "customFormatMaskings": [{"dataFormat": "json", "lookupKey": ""}],
    }});
    assert_eq!(
        refused(spec),
        "spec.piiMasking.customRegexMaskings[1].regex: \"[\" is not a regular expression: unclosed character class; \
         spec.piiMasking.customFormatMaskings[0].lookupKey: is empty: give the key whose value is masked"
    );
}

#[test]
fn templates_are_paths_with_variables() {
    let wrong = |template: &str| {
        let found = refused(json!({"urlTemplatization": {"rules": [{"templates": [template]}]}}));
        let found = found.strip_prefix("spec.urlTemplatization.rules[0].templates[0]: ");
        found.map(str::to_owned)
    };
    let expected = [
        ("", "is empty: give a path such as /user/{id}"),
        (
            "/a?b={c}",
            "has a query, and only paths are looked at: end it before the question mark",
        ),
        (
            "/user/{id",
            "\"{id\" is no variable: write it as {name} or {name:pattern}",
        ),
        ("/user/{}", "\"{}\" has no name: write it as {name} or {name:pattern}"),
        ("/user/{id:(}", "\"(\" is not a regular expression: unclosed group"),
    ];
    for (template, message) in expected {
        assert_eq!(wrong(template).as_deref(), Some(message), "{template}");
    }
    assert_eq!(
        refused(json!({"urlTemplatization": {}})),
        "spec.urlTemplatization: has neither rules nor default: give at least one of them"
    );
    assert_eq!(
        refused(json!({"urlTemplatization": {"rules": [{}]}})),
        "spec.urlTemplatization.rules[0].templates: is empty: give paths such as /user/{id}"
    );
}

#[test]
fn spans_are_renamed_by_what_compiles() {
    let spec = json!({"spanRenamer": {"programmingLanguage": "java", "scopeName": "",
        "regexReplacements": [{"regexPattern": "(", "templateText": ""}]}});
    assert_eq!(
        refused(spec),
        "spec.spanRenamer.scopeName: is empty: give the instrumentation scope whose spans are renamed; \
         spec.spanRenamer.regexReplacements[0].regexPattern: \"(\" is not a regular expression: unclosed group"
    );
    assert_eq!(
        refused(json!({"spanRenamer": {"programmingLanguage": "java", "scopeName": "s"}})),
        "spec.spanRenamer.regexReplacements: is empty: give at least one"
    );
}

#[test]
fn an_extraction_has_one_way() {
    let wrong = |extraction: Value| refused(json!({"extractAttribute": {"extractions": [extraction]}}));
    let either = "spec.extractAttribute.extractions[0]: must have either lookupKey and dataFormat, or regex";
    for extraction in [
        json!({"targetAttributeName": "t"}),
        json!({"targetAttributeName": "t", "lookupKey": "k"}),
        json!({"targetAttributeName": "t", "lookupKey": "k", "dataFormat": "json", "regex": "(a)"}),
    ] {
        assert_eq!(wrong(extraction.clone()), either, "{extraction}");
    }
    assert_eq!(
        wrong(json!({"targetAttributeName": "", "regex": "a"})),
        "spec.extractAttribute.extractions[0].targetAttributeName: is empty: give the name of an attribute; \
         spec.extractAttribute.extractions[0].regex: has no group: put parentheses around what is extracted"
    );
    assert_eq!(
        wrong(json!({"targetAttributeName": "t", "lookupKey": " ", "dataFormat": "sql"})),
        "spec.extractAttribute.extractions[0].lookupKey: is empty: give the key whose value is extracted"
    );
    assert_eq!(
        refused(json!({"extractAttribute": {"extractions": []}})),
        "spec.extractAttribute.extractions: is empty: give at least one"
    );
}

#[test]
fn what_is_not_changed_is_not_judged_again() {
    let before = action(json!({"piiMasking": {}}));
    assert_eq!(findings(&before, Some(&before)), Findings::default());
    assert!(!findings(&before, None).problems.is_empty());
}
