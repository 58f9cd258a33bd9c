//! What a master's or an agent's HTTP answer means for the caller. Pure.
//!
//! Responsible for turning status codes into decisions someone can take: read
//! the stream, ask elsewhere, try later, subscribe anew, or give up. The codes
//! are those of the Mesos documentation ("Scheduler HTTP API", "Executor HTTP
//! API") and what a 1.11 master really sends. It makes no requests.

use super::refused::CallRefusal;

/// The longest piece of an error's body that is kept for people to read.
const MAX_TEXT: usize = 300;

/// An answer without its stream: what there is to judge it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// `Mesos-Stream-Id`.
    pub stream_id: Option<String>,
    /// What it was asked with to believe who asks, for people; no secret.
    pub sent: String,
    /// The body of an answer that is not a stream; short plain text as a rule.
    pub body: String,
}

impl Response {
    /// The code and the body as one fragment for people.
    fn text(&self) -> String {
        let body: String = self
            .body
            .trim()
            .chars()
            .take(MAX_TEXT)
            .map(|char| if char.is_control() { ' ' } else { char })
            .collect();
        // A page of a server or proxy that is not Mesos's tells people nothing.
        if body.is_empty() || body.starts_with('<') {
            format!("status {}", self.code)
        } else {
            format!("status {}: {body}", self.code)
        }
    }
}

/// What an answer to SUBSCRIBE means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeAnswer {
    /// The events follow. Whether the subscription is granted, only the first
    /// event tells.
    Stream {
        /// To be sent with every call; executors have none.
        stream_id: Option<String>,
    },
    /// Another master leads.
    Redirect {
        /// Where it says that master is.
        location: String,
    },
    /// Not now: it does not lead, is still recovering, or has a fault.
    Later {
        /// For people.
        why: String,
    },
    /// Trying the same again is pointless.
    Refused(Refusal),
}

/// Why trying again is pointless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum Refusal {
    /// 401: credentials are wanted, or those sent are wrong.
    #[error("authentication is required, or what was sent is wrong or has expired ({0})")]
    Unauthenticated(String),
    /// 403: known, but not allowed.
    #[error("access is forbidden ({0})")]
    Forbidden(String),
    /// 405 and 501, of a server that is something else.
    #[error("it does not know Mesos's API; is this the address of a Mesos master? ({0})")]
    NotMesos(String),
    /// Any other 4xx: this side sent something that the other takes for wrong.
    #[error("the request was refused ({0})")]
    Invalid(String),
}

/// What an answer to a call other than SUBSCRIBE means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    /// Handed over (202), or done (200).
    Taken,
    /// The subscription that the call belongs to is no more.
    NotSubscribed {
        /// For people.
        why: String,
    },
    /// The call was wrong; the subscription lives on.
    Refused(CallRefusal),
}

/// Judges an answer to SUBSCRIBE. `media_type` is what was asked for.
pub fn of_subscribe(answer: &Response, media_type: &str) -> SubscribeAnswer {
    match answer.code {
        200 if is_type(answer, media_type) => SubscribeAnswer::Stream {
            stream_id: answer.stream_id.clone(),
        },
        200 => SubscribeAnswer::Later {
            why: format!(
                "it answers with {} instead of an event stream; is this a Mesos master?",
                answer
                    .content_type
                    .as_deref()
                    .unwrap_or("nothing in particular")
            ),
        },
        // 308 is not Mesos's, but proxies before it send it.
        301 | 302 | 307 | 308 => match &answer.location {
            Some(location) => SubscribeAnswer::Redirect {
                location: location.clone(),
            },
            None => SubscribeAnswer::Later {
                why: format!("{} without a Location", answer.text()),
            },
        },
        401 => {
            let why = format!("{}; sent was {}", answer.text(), answer.sent);
            SubscribeAnswer::Refused(Refusal::Unauthenticated(why))
        }
        403 => SubscribeAnswer::Refused(Refusal::Forbidden(answer.text())),
        // A process that starts answers 404 until its routes are installed.
        404 | 408 | 429 | 500 | 502..=599 => SubscribeAnswer::Later { why: answer.text() },
        405 | 501 => SubscribeAnswer::Refused(Refusal::NotMesos(answer.text())),
        400..=499 => SubscribeAnswer::Refused(Refusal::Invalid(answer.text())),
        _ => SubscribeAnswer::Later {
            why: format!("an unexpected {}", answer.text()),
        },
    }
}

/// Judges an answer to any other call.
pub fn of_call(answer: &Response) -> CallAnswer {
    let why = answer.text();
    match answer.code {
        // Mesos says 202; who stands before it may say another one of these.
        200..=299 => CallAnswer::Taken,
        400 if lost_subscription(&answer.body) => CallAnswer::NotSubscribed { why },
        // 401: the credentials no longer hold; the next SUBSCRIBE says so.
        // 3xx and 5xx: it no longer leads, or is being restarted.
        300..=399 | 401 | 403 | 404 | 500 | 502..=599 => CallAnswer::NotSubscribed { why },
        code => CallAnswer::Refused(CallRefusal { code, why }),
    }
}

/// Mesos answers 400 both to a malformed call and to one whose subscription is
/// gone; only the text tells them apart.
fn lost_subscription(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    [
        "framework cannot be found",
        "executor cannot be found",
        "stream-id",
        "stream id",
    ]
    .iter()
    .any(|sign| body.contains(sign))
}

fn is_type(answer: &Response, media_type: &str) -> bool {
    answer.content_type.as_deref().is_some_and(|it| {
        let essence = it.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(media_type)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOBUF: &str = "application/x-protobuf";

    fn answer(code: u16, body: &str) -> Response {
        Response {
            code,
            body: body.into(),
            ..Response::default()
        }
    }

    #[test]
    fn a_stream_of_the_type_asked_for_is_a_stream() {
        let mut stream = answer(200, "");
        stream.content_type = Some(PROTOBUF.into());
        stream.stream_id = Some("s".into());
        assert_eq!(
            of_subscribe(&stream, PROTOBUF),
            SubscribeAnswer::Stream {
                stream_id: Some("s".into())
            }
        );
        stream.content_type = Some("text/html; charset=utf-8".into());
        let SubscribeAnswer::Later { why } = of_subscribe(&stream, PROTOBUF) else {
            panic!("a page is no stream")
        };
        assert!(why.contains("text/html"));
    }

    #[test]
    fn every_code_of_the_scheduler_endpoint_has_its_meaning() {
        for code in [404, 500, 502, 503, 504] {
            assert!(
                matches!(
                    of_subscribe(&answer(code, ""), PROTOBUF),
                    SubscribeAnswer::Later { .. }
                ),
                "{code}"
            );
        }
        for code in [405, 501] {
            let SubscribeAnswer::Refused(refusal) = of_subscribe(&answer(code, ""), PROTOBUF)
            else {
                panic!("{code} is final")
            };
            assert!(
                refusal
                    .to_string()
                    .contains("is this the address of a Mesos master?")
            );
        }
        for code in [400, 406, 415] {
            assert!(
                matches!(
                    of_subscribe(&answer(code, ""), PROTOBUF),
                    SubscribeAnswer::Refused(Refusal::Invalid(_))
                ),
                "{code}"
            );
        }
        assert!(matches!(
            of_subscribe(&answer(401, ""), PROTOBUF),
            SubscribeAnswer::Refused(Refusal::Unauthenticated(_))
        ));
        assert!(matches!(
            of_subscribe(&answer(403, ""), PROTOBUF),
            SubscribeAnswer::Refused(Refusal::Forbidden(_))
        ));
    }

    #[test]
    fn a_redirect_needs_a_location() {
        let mut redirect = answer(307, "");
        assert!(matches!(
            of_subscribe(&redirect, PROTOBUF),
            SubscribeAnswer::Later { .. }
        ));
        redirect.location = Some("//m:5050".into());
        assert!(matches!(
            of_subscribe(&redirect, PROTOBUF),
            SubscribeAnswer::Redirect { .. }
        ));
    }

    #[test]
    fn a_call_that_is_wrong_is_told_from_a_subscription_that_is_gone() {
        assert_eq!(of_call(&answer(202, "")), CallAnswer::Taken);
        assert_eq!(of_call(&answer(204, "")), CallAnswer::Taken);
        for (code, body) in [
            (400, "Framework cannot be found"),
            (
                400,
                "All non-subscribe calls should include the 'Mesos-Stream-Id' header",
            ),
            (403, "Framework is not subscribed"),
            (307, ""),
            (503, ""),
        ] {
            assert!(
                matches!(
                    of_call(&answer(code, body)),
                    CallAnswer::NotSubscribed { .. }
                ),
                "{code} {body}"
            );
        }
        for (code, body) in [
            (400, "Failed to validate scheduler::Call: ..."),
            (408, ""),
            (413, ""),
            (415, ""),
            (429, ""),
            (501, ""),
        ] {
            assert!(
                matches!(of_call(&answer(code, body)), CallAnswer::Refused(_)),
                "{code}"
            );
        }
    }

    #[test]
    fn a_long_or_dirty_body_is_made_readable() {
        let text = answer(500, &format!("a\nb\u{1b}[31m{}", "x".repeat(1000))).text();
        assert!(text.starts_with("status 500: a b [31mxxx"));
        assert!(text.len() < 350);
        assert_eq!(answer(502, "<html><p>Bad").text(), "status 502");
    }
}
