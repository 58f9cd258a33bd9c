//! What is answered before anybody looks at an application.
//!
//! Responsible for what the history and a run that lasts answer alike: that they serve,
//! the look of pages, and refusals.

use hyper::StatusCode;
use hyper::header::LOCATION;

use crate::body::whole;
use crate::pages;
use crate::route::{NoRoute, Route};
use crate::server::{Answer, TEXT};

/// What is asked for, if it takes a look; else the answer.
pub fn front(route: Result<Route, NoRoute>) -> Result<Route, Answer> {
    match route {
        Ok(Route::Health) => Err(Answer::ok(TEXT, whole("ok\n"))),
        Ok(Route::Style) => Err(Answer::ok("text/css; charset=utf-8", whole(pages::STYLE))),
        Ok(Route::Script) => Err(Answer::ok(
            "text/javascript; charset=utf-8",
            whole(pages::SCRIPT),
        )),
        Ok(Route::Moved(to)) => {
            let answer = Answer::refusal(StatusCode::PERMANENT_REDIRECT, "see there");
            Err(answer.with(LOCATION, to))
        }
        Ok(route) => Ok(route),
        Err(NoRoute::NotFound) => Err(Answer::not_found("there is no such page")),
        Err(NoRoute::Query(why)) => Err(Answer::refusal(StatusCode::BAD_REQUEST, why)),
    }
}

/// It panicked.
pub fn fault() -> Answer {
    let words = "this could not be answered; the fault is ours";
    Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, words)
}
