//! Policies with mistakes, and what is said of them.

use mtls_policy::policy::Policy;

use super::filled;

/// What is wrong with each of these policies is found, all of it, each with its path.
#[allow(dead_code, reason = "the ABI's tests need no second proof of it")]
pub(crate) fn unnoticed() -> Vec<String> {
    let mut unnoticed = Vec::new();
    for (policy, owed) in MISTAKES {
        let problems = match Policy::compile(filled(policy).as_bytes()) {
            Ok(_) => String::new(),
            Err(problems) => problems.to_string(),
        };
        if problems != *owed {
            unnoticed.push(format!("{policy}: {problems:?}, owed: {owed:?}"));
        }
    }
    unnoticed
}

/// A policy, and all that is wrong with it, a line each.
const MISTAKES: &[(&str, &str)] = &[
    ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
    (r#"{"key_nmaes":[]}"#, "key_nmaes: there is no such field (did you mean \"key_names\"?)"),
    (r#"{"key_names":[]}"#, "key_names: is empty; leave it out for [apikey]"),
    (
        r#"{"key_names":["a b","x","X"],"key_in_header":false,"key_in_query":false}"#,
        "key_names[0]: \"a b\" is no header name: letters, digits and !#$%&'*+-.^_`|~\nkey_names[2]: \"X\" is there twice\n\
         key_in_query: with key_in_header off too, a key could be nowhere",
    ),
    (
        r#"{"key_cookies":["a=b","x","X","x",7],"key_authorization":"Bearer "}"#,
        "key_cookies[4]: has to be a string, is a number\n\
         key_cookies[0]: \"a=b\" is no cookie name: letters, digits and !#$%&'*+-.^_`|~\nkey_cookies[3]: \"x\" is there twice\n\
         key_cookies[4]: \"\" is no cookie name: letters, digits and !#$%&'*+-.^_`|~\n\
         key_authorization: \"Bearer \" is no scheme, such as Bearer",
    ),
    (
        r#"{"key_names":["authorization","cookie"],"key_authorization":"Bearer","key_cookies":["k"]}"#,
        "key_authorization: key_names has all of the header \"Authorization\"; leave one out\n\
         key_cookies: key_names has all of the header \"Cookie\"; leave one out",
    ),
    (
        r#"{"key_cookies":[],"key_authorization":""}"#,
        "key_authorization: has to be a string, is empty\nkey_cookies: is empty; leave it out",
    ),
    (
        r#"{"authentication":"gateway","key_cookies":["k"],"key_authorization":"Bearer"}"#,
        "key_authorization: has no meaning with authentication: gateway; leave it out\n\
         key_cookies: has no meaning with authentication: gateway; leave it out",
    ),
    (
        r#"{"hide_credentials":"yes","realm":"a\"b"}"#,
        "hide_credentials: has to be true or false, is another string\n\
         realm: \"a\\\"b\" cannot go into a header: control characters, quotes or outer spaces",
    ),
    (
        r#"{"consumers":[{"keys":[{"sha256":"abc"}]},{"username":"a"},{"username":"a","id":7}]}"#,
        "consumers[0].username: is missing\nconsumers[0].keys[0].id: is missing\n\
         consumers[0].keys[0].sha256: has to be the key's SHA-256 as 64 hexadecimal digits\n\
         consumers[2].id: has to be a string, is a number\n\
         consumers[2].username: \"a\" is consumers[1] already",
    ),
    (
        r#"{"consumers":[{"username":"a","keys":[{"id":"1","sha256":"<k>"}]},{"username":"b","keys":[{"id":"1","sha256":"<k>"}]}]}"#,
        "consumers[1].keys[0].sha256: \"b\" and \"a\" have the same key; each needs one of its own",
    ),
    (
        r#"{"consumers":[{"username":"a","keys":[{"id":"1","sha256":"<k>","not_before":"2027-01-01T00:00:00Z","not_after":"2026-01-01T00:00:00Z"},
            {"id":"1","sha256":"<l>","not_after":"tomorrow"}]}]}"#,
        "consumers[0].keys[0].not_after: is before not_before\nconsumers[0].keys[1].id: \"1\" is there twice\n\
         consumers[0].keys[1].not_after: \"tomorrow\" is no RFC 3339 time, such as 2027-01-15T00:00:00Z",
    ),
    (
        r#"{"consumers":[{"username":"a","groups":["vet"]}],"rules":[{"match":{"methods":["PSOT"]},"client_certificate":"c"},
            {"match":{"groups":["vets"],"consumers":["A"]},"deny":{"status":200}},{"match":{"path_prefix":"x"},"client_certificate":"c","deny":{}},
            {"match":{"hosts":["a:80"],"headers":{"a b":[]}}}]}"#,
        "rules[0].match.methods[0]: \"PSOT\" is not an HTTP method (did you mean \"POST\"?)\n\
         rules[1].deny.status: 200 is not between 400 and 599\n\
         rules[1].match.consumers[0]: there is no consumer \"A\" (did you mean \"a\"?)\n\
         rules[1].match.groups[0]: no consumer is in group \"vets\" (did you mean \"vet\"?)\n\
         rules[2]: has both client_certificate and deny; leave one out\n\
         rules[2].match.path_prefix: \"x\" does not begin with /\n\
         rules[3]: has neither client_certificate nor deny\n\
         rules[3].match.hosts[0]: \"a:80\" is no host name, without port\n\
         rules[3].match.headers.a b: is no header name\n\
         rules[3].match.headers.a b: is empty: no request would match",
    ),
    (
        r#"{"client_certificate":"a/b","rules":[{"match":{},"deny":{}},{"match":{"methods":[]},"deny":{}}]}"#,
        "client_certificate: \"a/b\" cannot be a certificate's name: 1 to 128 of A-Z a-z 0-9 . _ -\n\
         rules[1]: is never reached: rules[0] matches every request\n\
         rules[1].match.methods: is empty: leave the condition out, or name something",
    ),
    (r#"{"consumers":{"ann":{}}}"#, "consumers: has to be a list, is an object"),
    (
        r#"{"consumers":[{"username":"a","groups":{"b":1},"keys":{"c":{}}}]}"#,
        "consumers[0].groups: has to be a list, is an object\nconsumers[0].keys: has to be a list, is an object",
    ),
    (
        r#"{"consumers":[{"username":"ann","id":"7c1e0000-0000-4000-8000-000000000001"},{"username":"bob","id":"c-1"},{"username":"eve","id":"7c1e0000-0000-4000-8000-00000000000a"},
            {"username":"dan","id":"7C1E0000-0000-4000-8000-000000000001"}]}"#,
        "consumers[1].id: expected a UUID such as 7c1e0000-0000-4000-8000-000000000001, got \"c-1\"\n\
         consumers[3].id: \"dan\" and \"ann\" have the same id; each needs one of its own",
    ),
    (
        r#"{"authentication":"gate"}"#,
        "authentication: has to be \"api_key\" or \"gateway\", is another string",
    ),
    (r#"{"rules":{"a":1}}"#, "rules: has to be a list, is an object"),
    ("7x", "not JSON: invalid type: integer `7`, expected an object at line 1 column 1"),
    (
        r#"{"consumers":[{"username":"a","groups":["","x\ny","vet","vet"]},{"username":null}]}"#,
        "consumers[0].groups[0]: is empty or holds control characters\n\
         consumers[0].groups[1]: is empty or holds control characters\n\
         consumers[0].groups[3]: \"vet\" is there twice\nconsumers[1].username: is missing",
    ),
    (
        r#"{"rules":[{"match":{"path_prefix":"/a?b"},"deny":{"message":"no\nway"}},{"match":{"path_prefix":"/a/../b"},"deny":{}},
            {"match":null,"deny":{}}]}"#,
        "rules[2].match: is missing\nrules[0].deny.message: holds control characters\n\
         rules[0].match.path_prefix: \"/a?b\" is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes\n\
         rules[1].match.path_prefix: \"/a/../b\" is no plain path: leave out ? # ; \\ %, dot segments and encoded slashes",
    ),
    (
        r#"{"consumers":[{"username":"a","id":""},{"username":"b","custom_id":""},{"username":"c","id":"","custom_id":""},
            {"username":""},{"username":"d","keys":[{"id":"","sha256":"<d>"}]},{"username":"e","keys":[{"id":"1","sha256":""}]},
            {"username":"f","keys":[{"id":"1","sha256":"<f>","not_before":""}]},
            {"username":"g","keys":[{"id":"1","sha256":"<g>","not_after":""}]}]}"#,
        "consumers[0].id: has to be a string, is empty\nconsumers[1].custom_id: has to be a string, is empty\n\
         consumers[2].id: has to be a string, is empty\nconsumers[2].custom_id: has to be a string, is empty\n\
         consumers[3].username: has to be a string, is empty\nconsumers[4].keys[0].id: has to be a string, is empty\n\
         consumers[5].keys[0].sha256: has to be a string, is empty\n\
         consumers[6].keys[0].not_before: has to be a string, is empty\n\
         consumers[7].keys[0].not_after: has to be a string, is empty",
    ),
    ("[]", "has to be an object, is a list"),
    (
        r#"{"realm":"","anonymous":"","consumers":[{"username":"","keys":[{"id":"","sha256":""}]},{}],
            "rules":[{"match":{"hosts":["."]},"client_certificate":""}]}"#,
        "realm: has to be a string, is empty\nanonymous: has to be a string, is empty\n\
         rules[0].client_certificate: has to be a string, is empty\n\
         consumers[0].username: has to be a string, is empty\nconsumers[0].keys[0].id: has to be a string, is empty\n\
         consumers[0].keys[0].sha256: has to be a string, is empty\nconsumers[1].username: is missing\n\
         rules[0]: has neither client_certificate nor deny\n\
         rules[0].match.hosts[0]: \".\" is no host name, without port",
    ),
    (
        r#"{"key_in_body":true,"consumers_file":"consumers.yml"}"#,
        "key_in_body: needs the native plugin: a filter has to decide before it sees a body; leave it out\n\
         consumers_file: needs the native plugin: a filter has no files; write consumers into the policy",
    ),
    (
        r#"{"authentication":"gateway","consumers":[{"username":"a"}],"realm":"x"}"#,
        "realm: has no meaning with authentication: gateway; leave it out\n\
         consumers: has no meaning with authentication: gateway; leave it out",
    ),
];
