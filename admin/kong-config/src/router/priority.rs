//! The order of routes, as Kong 3.9 computes it.

/// What of a route counts for its place in the order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Criteria {
    pub(super) methods: bool,
    pub(super) hosts: Hosts,
    /// How many headers are asked for.
    pub(super) headers: usize,
    pub(super) paths: Paths,
}

/// What kind of hosts a route has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hosts {
    #[default]
    None,
    Plain,
    /// At least one with a wildcard.
    Wildcard,
}

/// What kind of paths a route has: after Kong split it, one kind and one length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Paths {
    #[default]
    None,
    Prefix {
        length: usize,
    },
    Regex {
        priority: i64,
    },
}

/// A route's priority; the greater goes first.
///
/// The layout that kong/router/transform.lua (3.9.1, get_priority) draws has, from the top, the number of
/// criteria, then plain hosts, the number of headers, regex, regex_priority, the prefix's length. What it computes
/// is another: its shifts are of Lua numbers, hence of 32 bits, so that 61, 52 and 19 shift by 29, 20 and
/// 19, while the bits for plain hosts and for a regex are 64-bit constants in their drawn places. So a plain host
/// goes before everything, then a regex, then the number of criteria; only a fourth criterion, whose bit is
/// the sign, rises above all (as on x86-64, where LuaJIT makes 2^63 of a negative number). The test's figures
/// are what that file returns under LuaJIT.
pub(super) fn priority(criteria: Criteria) -> u64 {
    let Criteria { methods, hosts, headers, paths } = criteria;
    let given = [methods, hosts != Hosts::None, headers > 0, paths != Paths::None];
    let weight = (given.iter().filter(|given| **given).count() as i32).wrapping_shl(61);
    let headers = (headers.min(MAX_HEADERS) as i32).wrapping_shl(52);
    let plain_host = if hosts == Hosts::Plain { PLAIN_HOST } else { 0 };
    match paths {
        Paths::Regex { priority } => {
            // LuaJIT takes the low 32 bits of a number that it shifts.
            let priority = (priority as i32).wrapping_shl(19);
            plain_host | REGEX | unsigned(weight) | unsigned(headers) | unsigned(priority)
        }
        Paths::None | Paths::Prefix { .. } => {
            let length = match paths {
                Paths::Prefix { length } => (length & MAX_LENGTH) as i32,
                _ => 0,
            };
            match plain_host {
                0 => unsigned(weight | headers | length),
                bit => bit | unsigned(weight) | unsigned(headers) | unsigned(length),
            }
        }
    }
}

/// LuaJIT's conversion of a number to `uint64_t` on x86-64.
fn unsigned(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(1 << 63)
}

const PLAIN_HOST: u64 = 1 << 60;
const REGEX: u64 = 1 << 51;
const MAX_HEADERS: usize = 255;
const MAX_LENGTH: usize = 0x7_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_those_of_kong_3_9_1() {
        struct Row {
            name: &'static str,
            criteria: Criteria,
            expected: u64,
        }
        let none = Criteria::default();
        let abc = Criteria { paths: Paths::Prefix { length: 4 }, ..none };
        let regex = |priority| Criteria { paths: Paths::Regex { priority }, ..none };
        let plain = Criteria { hosts: Hosts::Plain, ..none };
        let wildcard = Criteria { hosts: Hosts::Wildcard, ..none };
        let all = Criteria { methods: true, headers: 1, ..abc };
        let rows = [
            Row { name: "path", criteria: abc, expected: 536870916 },
            Row { name: "regex", criteria: regex(0), expected: 2251800350556160 },
            Row { name: "regex priority 5", criteria: regex(5), expected: 2251800353177600 },
            Row { name: "regex priority -1", criteria: regex(-1), expected: 9225623837205331968 },
            Row { name: "regex priority 2^13", criteria: regex(8192), expected: 2251800350556160 },
            Row { name: "plain host", criteria: plain, expected: 1152921505143717888 },
            Row { name: "wildcard host", criteria: wildcard, expected: 536870912 },
            Row {
                name: "plain host and path",
                criteria: Criteria { hosts: Hosts::Plain, ..abc },
                expected: 1152921505680588804,
            },
            Row {
                name: "wildcard host and path",
                criteria: Criteria { hosts: Hosts::Wildcard, ..abc },
                expected: 1073741828,
            },
            Row {
                name: "method and path",
                criteria: Criteria { methods: true, ..abc },
                expected: 1073741828,
            },
            Row {
                name: "method, path and two headers",
                criteria: Criteria { headers: 2, ..all },
                expected: 1612709892,
            },
            Row { name: "header", criteria: Criteria { headers: 1, ..none }, expected: 537919488 },
            Row {
                name: "method and regex",
                criteria: Criteria { methods: true, ..regex(0) },
                expected: 2251800887427072,
            },
            Row {
                name: "four criteria with a wildcard host",
                criteria: Criteria { hosts: Hosts::Wildcard, ..all },
                expected: 9223372036854775808,
            },
            Row {
                name: "four criteria with a plain host",
                criteria: Criteria { hosts: Hosts::Plain, ..all },
                expected: 10376293541462671364,
            },
            Row {
                name: "four criteria with a wildcard host and a regex",
                criteria: Criteria { hosts: Hosts::Wildcard, paths: Paths::Regex { priority: 0 }, ..all },
                expected: 9225623836669509632,
            },
        ];
        for row in rows {
            assert_eq!(priority(row.criteria), row.expected, "{}", row.name);
        }
    }
}
