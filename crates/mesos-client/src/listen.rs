//! One subscription, from SUBSCRIBE to the end of its stream.
//!
//! Responsible for telling a state machine's owner what the connection brings:
//! the answer, then the events, then how it ended. Used by the framework's and
//! the executor's client; it knows nothing of either's states.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::codec::Codec;
use super::http::{Http, HttpError};
use super::response::SubscribeAnswer;
use super::wire::WireError;

/// What a connection brings.
#[derive(Debug)]
pub(super) enum Heard<E> {
    /// The answer to SUBSCRIBE. Only a stream is followed by events.
    Answered(SubscribeAnswer),
    /// An event.
    Event(E),
    /// There was no answer, or the stream broke, for this reason.
    Broken(String),
    /// The peer was reached, and no TLS came about, for this reason.
    NoTls(String),
}

/// Subscribes and tells what comes, each as the input that `input` makes of it,
/// until the stream breaks or nobody listens any more.
pub(super) async fn listen<E, I>(
    http: &Http,
    url: &str,
    body: Bytes,
    decode: fn(Codec, Bytes) -> Result<E, WireError>,
    input: impl Fn(Heard<E>) -> I,
    inputs: &mpsc::Sender<I>,
) {
    let (answer, mut stream) = match http.subscribe(url, body).await {
        Ok(opened) => opened,
        Err(error) => {
            let why = error.to_string();
            let heard = match error {
                HttpError::Tls(_) => Heard::NoTls(why),
                _ => Heard::Broken(why),
            };
            // Without a receiver nobody wants to know.
            let _ = inputs.send(input(heard)).await;
            return;
        }
    };
    let is_stream = matches!(answer, SubscribeAnswer::Stream { .. });
    let mut heard = inputs.send(input(Heard::Answered(answer))).await.is_ok() && is_stream;
    while heard {
        let event = match stream.next_record().await {
            Ok(record) => decode(http.codec(), record).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let is_event = event.is_ok();
        let news = event.map_or_else(Heard::Broken, Heard::Event);
        heard = inputs.send(input(news)).await.is_ok() && is_event;
    }
}
