//! The same policy and the same request: the core, natively, and the module as it ships, in wasmtime.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use harness::cases::core::{Filled, outcome};
use harness::cases::{Established, Heard, Outcome};
use harness::conformance::{CERTIFICATES, Module, suites};
use harness::stack::Keys;
use mtls_policy::policy::Policy;

#[derive(Debug, Arbitrary)]
struct Request<'d> {
    policy: u16,
    method: Method<'d>,
    authority: &'d [u8],
    path: Vec<Piece<'d>>,
    arguments: Vec<(Piece<'d>, Piece<'d>)>,
    headers: Vec<(Piece<'d>, Piece<'d>)>,
    established: Option<(u8, bool)>,
    now: u32,
}

#[derive(Debug, Arbitrary)]
enum Method<'d> {
    Usual(u8),
    Other(&'d [u8]),
}

/// Something that policies know, or anything.
#[derive(Debug, Arbitrary)]
enum Piece<'d> {
    Known(u16),
    Bytes(&'d [u8]),
}

/// Bytes as a request, and a number of a policy.
pub(super) fn run(data: &[u8]) {
    let Ok(request) = Request::arbitrary(&mut Unstructured::new(data)) else { return };
    SCENE.with(|scene| {
        let number = usize::from(request.policy) % scene.policies.len();
        let (document, policy) = &scene.policies[number];
        let filled = scene.filled(&request);
        let natively = outcome(policy, &filled, &CERTIFICATES);
        let in_wasm = scene.module.outcome(document, &filled).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(told(natively), told(in_wasm), "policy {number}: {document}");
    });
}

/// The cases whose policies are asked.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/conformance");

struct Scene {
    module: Module,
    policies: Vec<(String, Policy)>,
    /// Names, paths and keys that policies know, and what is beside them.
    known: Vec<Vec<u8>>,
}

thread_local! {
    static SCENE: Scene = Scene::new().unwrap_or_else(|error| panic!("{error:#}"));
}

impl Scene {
    /// With all policies of `tests/conformance`.
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let keys = Keys::default();
        let mut documents = BTreeSet::new();
        for case in suites(CASES.as_ref())?.iter().flat_map(|suite| &suite.cases) {
            documents
                .extend(case.policy.as_ref().map(|policy| keys.put_into(&policy.to_string())).transpose()?);
        }
        let mut known: BTreeSet<Vec<u8>> =
            keys.names().iter().map(|who| keys.of(who).map(String::into_bytes)).collect::<Result<_, _>>()?;
        known.extend(BESIDE.map(|text| text.as_bytes().to_vec()));
        let compiled =
            |document: String| Policy::compile(document.as_bytes()).ok().map(|policy| (document, policy));
        let policies: Vec<_> = documents.into_iter().filter_map(compiled).collect();
        for (document, _) in &policies {
            let texts = document.split('"').skip(1).step_by(2);
            known.extend(texts.filter(|text| text.len() < 40).map(|text| text.as_bytes().to_vec()));
        }
        Ok(Self { module: Module::load()?, policies, known: known.into_iter().collect() })
    }

    fn filled(&self, request: &Request<'_>) -> Filled {
        let piece = |piece: &Piece<'_>| match piece {
            Piece::Known(which) => self.known[usize::from(*which) % self.known.len()].clone(),
            Piece::Bytes(bytes) => bytes.to_vec(),
        };
        let mut target: Vec<u8> = request.path.iter().flat_map(piece).collect();
        for (number, (name, value)) in request.arguments.iter().enumerate() {
            target.extend(
                [if number == 0 { b"?" } else { b"&" }, &piece(name)[..], b"=", &piece(value)].concat(),
            );
        }
        // What no HTTP server hands over is nobody's business here. Nor are control characters in values, which the
        // module's host takes back from no filter: tests/conformance/cookies.yaml has what gateways make of them.
        let header = |(name, value): &(Piece<'_>, Piece<'_>)| {
            let name = piece(name);
            let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
            let is_name =
                !name.is_empty() && name.iter().all(is_token) && !name.eq_ignore_ascii_case(b"host");
            let value = piece(value);
            let is_text = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
            (is_name && value.iter().all(is_text)).then_some((name, value))
        };
        Filled {
            method: match &request.method {
                Method::Usual(which) => METHODS[usize::from(*which) % METHODS.len()].as_bytes().to_vec(),
                Method::Other(method) => method.to_vec(),
            },
            authority: request.authority.to_vec(),
            target,
            headers: request.headers.iter().filter_map(header).collect(),
            established: request.established.map(|(who, in_group)| Established {
                username: ["bob", "ann", "vet"][usize::from(who) % 3].to_owned(),
                id: "7c1e0000-0000-4000-8000-000000000002".to_owned(),
                custom_id: (who > 99).then(|| "b-2".to_owned()),
                credential: "a0000000-0000-4000-8000-000000000003".to_owned(),
                groups: if in_group { vec!["vets".to_owned(), "shelter".to_owned()] } else { Vec::new() },
            }),
            now: request.now.into(),
        }
    }
}

/// What both have to agree on: headers by name, in whatever order.
fn told(outcome: Outcome) -> impl PartialEq + std::fmt::Debug {
    let answer = outcome.answer.map(|answer| {
        let told = ["content-type", "www-authenticate"].map(|name| answer.header(name).map(str::to_owned));
        (answer.status, answer.body, told)
    });
    let upstream = outcome.upstream.map(|heard| {
        let Heard { certificate, method, uri, headers } = heard;
        let lower = |(name, value): (String, String)| (name.to_ascii_lowercase(), value);
        let mut headers: Vec<_> = headers.into_iter().map(lower).filter(|(name, _)| name != "host").collect();
        headers.sort();
        (certificate, method, uri, headers)
    });
    (answer, upstream)
}

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"];

const BESIDE: [&str; 30] = [
    "/",
    "//",
    "..",
    "/../",
    "%2e",
    "%2F",
    "%5C",
    ";",
    "%00",
    "%25",
    "+",
    "&",
    "=",
    "?",
    "X_API_Key",
    "x-consumer-username",
    "X_Consumer_ID",
    "X-Anonymous-Consumer",
    "X-Credential-Identifier",
    "Accept",
    "text/html",
    "application/grpc",
    "Content-Type",
    "text/plain;q=0.1,*/*",
    "Authorization",
    "Bearer ",
    "Cookie",
    "session=",
    "; session=",
    "session=\"\"; a=b",
];
