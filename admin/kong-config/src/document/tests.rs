use super::*;

fn json(text: &str) -> Result<String, Vec<String>> {
    let report = Report::new(Some("d.yml"));
    let node = parse(text, &report);
    match report.conclude(node) {
        Ok(node) => Ok(node.to_json().to_string()),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn a_document_reads_as_the_json_that_it_means() {
    let rows = [
        ("JSON", r#"{"a": [1, -2.5, true, null, "x\/\u00e9\n"]}"#, r#"{"a":[1,-2.5,true,null,"x/é\n"]}"#),
        ("JSON with tabs", "{\n\t\"a\":\t\"\\t\"\n}", r#"{"a":"\t"}"#),
        ("block", "a:\n- b: 1\n  c: x y\n- [d]\n", r#"{"a":[{"b":1,"c":"x y"},["d"]]}"#),
        ("block scalar", "a: |\n  one\n  two\n", r#"{"a":"one\ntwo\n"}"#),
        ("quoted numbers are strings", "a: '1'\nb: \"true\"\n", r#"{"a":"1","b":"true"}"#),
        ("a tag makes a string", "a: !!str 1\n", r#"{"a":"1"}"#),
        ("null", "a:\nb: ~\nc: null\n", r#"{"a":null,"b":null,"c":null}"#),
        ("a time is a string", "a: 2026-10-01T00:00:00Z\n", r#"{"a":"2026-10-01T00:00:00Z"}"#),
        ("alias", "a: &x {b: 1}\nc: *x\n", r#"{"a":{"b":1},"c":{"b":1}}"#),
        ("merge key", "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\n", r#"{"a":{"b":1,"c":2},"d":{"b":1,"c":3}}"#),
        (
            "the first of several merged wins",
            "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n",
            r#"{"a":{"b":1},"c":{"b":2,"d":3},"e":{"b":1,"d":3}}"#,
        ),
        ("a quoted << is a key", "a: {'<<': 1}\n", r#"{"a":{"<<":1}}"#),
        ("quoted words of YAML 1.1", "a: 'no'\nb: \"0123\"\n", r#"{"a":"no","b":"0123"}"#),
    ];
    for (name, text, expected) in rows {
        assert_eq!(json(text).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn a_problem_is_one_line_whatever_it_quotes() {
    let report = Report::new(Some("d.yml"));
    report.add(None, "a", "no plugin is called b\nd.yml: all is well\u{13}");
    let problems = report.conclude(None::<()>).unwrap_err().to_string();
    assert_eq!(problems, "d.yml: a: no plugin is called b\u{fffd}d.yml: all is well\u{fffd}");
}

#[test]
fn what_cannot_be_read_one_way_only_is_refused_with_its_line() {
    const OTHERWISE: &str = "Kong's YAML 1.1 reads another value here than YAML 1.2: write true or false, \
                             a plain decimal number, or put it in quotes";
    let otherwise = |path: &str| format!("d.yml:2: {path}: {OTHERWISE}");
    let line = |text: &str| format!("d.yml:{text}");
    let rows = [
        ("twice", "a: 1\nb: 2\na: 3\n", line("3: a: stands here a second time, the first is on line 1")),
        (
            "twice, deep",
            "a:\n- b: 1\n  b: 2\n",
            line("3: a[0].b: stands here a second time, the first is on line 2"),
        ),
        (
            "twice, with a name of lines",
            "\"a\\n\\b\": 1\n\"a\\n\\b\": 2\n",
            line(r"2: a\n\u{8}: stands here a second time, the first is on line 1"),
        ),
        ("number as key", "a: 1\n2: 3\n", line("2: a key must be a string: put it in quotes")),
        ("two documents", "a: 1\n---\nb: 2\n", line("2: a second document starts here: only one is read")),
        ("empty", "# nothing\n", line(" the document is empty")),
        (
            "tag",
            "a: 1\nb: !secret x\n",
            line("2: b: unknown tag: only YAML's own (!!str, !!int, …) are read"),
        ),
        ("not of its tag", "a: !!int x\n", line("1: a: the value is not of the type that its tag names")),
        ("not finite", "a: .inf\n", line("1: a: not a finite number")),
        ("merging no mapping", "a: 1\nb: {<<: 2}\n", line("2: b.<<: only a mapping can be merged")),
        (
            "alias to what it is in",
            "a: &x\n  b: *x\n",
            line("2: a.b: this alias stands inside of what it refers to"),
        ),
        ("boolean word", "a: 1\nb: no\n", otherwise("b")),
        ("octal", "a: 1\nb: 0123\n", otherwise("b")),
        ("sexagesimal", "a: 1\nb: 12:30\n", otherwise("b")),
        ("underscores", "a: 1\nb: 1_000\n", otherwise("b")),
    ];
    for (name, text, expected) in rows {
        assert_eq!(json(text), Err(vec![expected]), "{name}");
    }
    let syntax = json("a: 1\nb: [1\nc: }\n").unwrap_err();
    assert!(syntax.len() == 1 && syntax[0].starts_with("d.yml:"), "{syntax:?}");
}

#[test]
fn aliases_and_nesting_are_bounded() {
    let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for level in 1..8 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let problems = json(&bomb).unwrap_err();
    assert!(problems[0].contains("aliases copy more than"), "{problems:?}");
    let problems = json(&"[".repeat(100_000)).unwrap_err();
    assert_eq!(problems.len(), 1);
}

#[test]
fn values_are_read_by_type_and_whatever_is_wrong_is_told() {
    let report = Report::new(None);
    let text = "name: 5\nport: 70000\non_: 1\nlist: {}\nkind: htp\nlevel: 1.5\nnothing: null\nunknwon: 1\n";
    let document = parse(text, &report).unwrap();
    let mut fields = Place::root(&document, &report).fields().unwrap();
    assert!(fields.get("name").unwrap().string().is_none());
    assert!(fields.get("port").unwrap().integer(0..=65535).is_none());
    assert!(fields.get("on_").unwrap().boolean().is_none());
    assert!(fields.get("list").unwrap().items().is_empty());
    assert!(fields.get("kind").unwrap().one_of(&["http", "https"]).is_none());
    assert_eq!(fields.get("level").unwrap().number(), Some(1.5));
    assert!(fields.get("nothing").is_none(), "null is absent");
    assert!(fields.need("missing").is_none());
    fields.get("unknown");
    fields.finish();
    let problems = report.conclude(Some(())).unwrap_err().to_string();
    let expected = "\
line 1: name: an integer stands here, not a string: put it in quotes
line 1: missing is missing
line 2: port: 70000 is not between 0 and 65535
line 3: on_: an integer stands here, not true or false
line 4: list: a mapping stands here, not a list
line 5: kind: \"htp\" is not known here (did you mean \"http\"?)
line 8: unknwon: unknown field, did you mean \"unknown\"?";
    assert_eq!(problems, expected);
}

#[test]
fn a_near_name_is_suggested_and_a_far_one_is_not() {
    let known = ["methods", "hosts", "paths", "id"];
    let rows = [
        ("mehtods", Some("methods")),
        ("Hosts", Some("hosts")),
        ("path", Some("paths")),
        ("ids", Some("id")),
        ("headers", None),
        ("x", None),
    ];
    for (written, expected) in rows {
        assert_eq!(nearest(written, known.into_iter()), expected, "{written}");
    }
}

#[test]
fn every_value_knows_its_bytes() {
    let text = "ä: {b: 'c' } # d\ne:\n- f # g\n- [ h, \"i\" ] # j\nm: # n\no: \"p\\\"\" # \"q\"\nr: 's''t' # 'u'\nk: |\n  l\n";
    let document = parse(text, &Report::new(None)).unwrap();
    let of = |node: Option<&Node>| node.map(|node| &text[node.span.clone()]);
    let items = document.get("e").unwrap().items();
    let rows = [
        (of(Some(&document)), text),
        (of(document.get("ä")), "{b: 'c' }"),
        (of(document.get("ä").unwrap().get("b")), "'c'"),
        // The parser has no token for a list that is as deep as its field.
        (of(document.get("e")), "f # g\n- [ h, \"i\" ]"),
        (of(items.first()), "f"),
        (of(items.get(1)), "[ h, \"i\" ]"),
        (of(items[1].items().last()), "\"i\""),
        (of(document.get("m")), ""),
        (of(document.get("o")), "\"p\\\"\""),
        (of(document.get("r")), "'s''t'"),
    ];
    for (came, owed) in rows {
        assert_eq!(came, Some(owed));
    }
    let (key, _) = document.entry("ä").unwrap();
    assert_eq!((&text[key.span.clone()], key.line, key.column), ("ä", 1, 1));
}
