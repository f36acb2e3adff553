//! Whether what came is what is owed.

use super::outcome::values;
use super::{Answer, Certificate, Heard, Outcome, Owed, Text, Upstream, Values};
use crate::stack::Keys;

/// What is wrong, a line each; nothing: all is as it is owed.
///
/// # Errors
/// The system gives no random bytes for a key.
pub fn judge(owed: &Owed, came: &Outcome, keys: &Keys) -> anyhow::Result<Vec<String>> {
    let mut judge = Judge { keys, request_id: String::new(), wrong: Vec::new() };
    match (&owed.upstream, &came.upstream) {
        (None, None) => {}
        (None, Some(heard)) => judge.wrong.push(format!(
            "the upstream must hear nothing, but heard {} {} as {}",
            heard.method,
            heard.uri,
            heard.certificate.as_deref().unwrap_or("nobody")
        )),
        (Some(_), None) => judge.wrong.push(match &came.answer {
            Some(answer) => {
                format!("the upstream heard nothing; the client got {} {:?}", answer.status, answer.message())
            }
            None => "the upstream heard nothing".to_owned(),
        }),
        (Some(owed), Some(heard)) => judge.upstream(owed, heard)?,
    }
    for Heard { certificate, method, uri, .. } in &came.smuggled {
        let certificate = certificate.as_deref().unwrap_or("nobody");
        judge.wrong.push(format!("the upstream heard another request: {method} {uri} as {certificate}"));
    }
    if let Some(answer) = &came.answer {
        judge.request_id.clone_from(&answer.request_id);
        judge.answer(owed, answer)?;
    }
    Ok(judge.wrong)
}

struct Judge<'k> {
    keys: &'k Keys,
    request_id: String,
    wrong: Vec<String>,
}

impl Judge<'_> {
    fn answer(&mut self, owed: &Owed, came: &Answer) -> anyhow::Result<()> {
        if let Some(status) = owed.status.filter(|status| *status != came.status) {
            let line = format!("status: owed {status}, came {} {:?}", came.status, came.message());
            self.wrong.push(line);
        }
        self.text("message", owed.message.as_ref(), &came.message())?;
        self.headers("", &owed.headers, &came.headers)?;
        self.text("body", owed.body.as_ref(), &came.body)?;
        for part in &owed.holds {
            let part = self.filled(part)?;
            if !came.body.contains(&part) {
                self.wrong.push(format!("body: {part:?} is not in it, came {:?}", came.body));
            }
        }
        Ok(())
    }

    fn upstream(&mut self, owed: &Upstream, heard: &Heard) -> anyhow::Result<()> {
        let certificate = match &owed.certificate {
            None => None,
            Some(Certificate::Named(name)) => Some(Some(name.as_str())),
            Some(Certificate::None) => Some(None),
        };
        if let Some(certificate) = certificate.filter(|owed| *owed != heard.certificate.as_deref()) {
            let (owed, came) =
                (certificate.unwrap_or("none"), heard.certificate.as_deref().unwrap_or("none"));
            self.wrong.push(format!("certificate: owed {owed}, the upstream saw {came}"));
        }
        self.text("method upstream", owed.method.as_ref(), &heard.method)?;
        self.text("uri upstream", owed.uri.as_ref(), &heard.uri)?;
        self.headers(" upstream", &owed.headers, &heard.headers)
    }

    fn text(&mut self, what: &str, owed: Option<&Text>, came: &str) -> anyhow::Result<()> {
        if let Some(owed) = owed.map(|owed| self.filled(owed)).transpose()?.filter(|owed| owed != came) {
            self.wrong.push(format!("{what}: owed {owed:?}, came {came:?}"));
        }
        Ok(())
    }

    fn headers(
        &mut self,
        side: &str,
        owed: &[(String, Values)],
        came: &[(String, String)],
    ) -> anyhow::Result<()> {
        for (name, owed) in owed {
            let owed = match owed {
                Values::Absent => Vec::new(),
                Values::These(texts) => {
                    texts.iter().map(|text| self.filled(text)).collect::<anyhow::Result<_>>()?
                }
            };
            let came = values(came, name);
            if owed != came {
                let told = |values: &[String]| {
                    if values.is_empty() { "none".to_owned() } else { format!("{values:?}") }
                };
                let came: Vec<_> = came.into_iter().map(str::to_owned).collect();
                self.wrong.push(format!("header{side} {name}: owed {}, came {}", told(&owed), told(&came)));
            }
        }
        Ok(())
    }

    /// As a report has it: what is not UTF-8 as replacement characters.
    fn filled(&self, text: &Text) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&text.fill(self.keys, &self.request_id)?).into_owned())
    }
}
