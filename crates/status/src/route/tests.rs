//! Paths and queries, and where they lead.

use super::*;

fn whose(app: &str, attempt: Option<&str>) -> Whose {
    Whose {
        app: app.into(),
        attempt: attempt.map(str::to_owned),
    }
}

fn at(attempt: Option<u32>) -> NamedAttempt {
    NamedAttempt::At {
        stage: 2,
        partition: 7,
        attempt,
    }
}

#[test]
fn paths_lead_to_pages_and_to_the_api() {
    let page = |path| match route(path, "") {
        Ok(Route::Page(whose, page)) => (whose, page),
        other => panic!("{path}: {other:?}"),
    };
    assert_eq!(route("/", ""), Ok(Route::List));
    assert_eq!(page("/history/a/"), (whose("a", None), Page::Overview));
    assert_eq!(
        page("/history/a%2Fb/2/"),
        (whose("a/b", Some("2")), Page::Overview)
    );
    assert_eq!(
        page("/history/a/stages/3/1/"),
        (whose("a", None), Page::Stage(3, 1))
    );
    assert_eq!(
        route("/history/a/executors", ""),
        Ok(Route::Moved("executors/".into()))
    );
    let api = |path, query| match route(path, query) {
        Ok(Route::Api(Api::Of(whose, of))) => (whose, of),
        other => panic!("{path}: {other:?}"),
    };
    let (of, jobs) = api("/api/v1/applications/a/2/jobs", "status=running");
    assert_eq!(
        (of, jobs),
        (whose("a", Some("2")), Of::Jobs(vec!["RUNNING".into()]))
    );
    assert_eq!(api("/api/v1/applications/a/2", "").1, Of::Attempt);
    let wanted = api(
        "/api/v1/applications/a/stages/0/0/taskList",
        "sortBy=-runtime&length=3",
    )
    .1;
    let Of::TaskList(0, 0, wanted) = wanted else {
        panic!("{wanted:?}");
    };
    assert_eq!(
        (wanted.order, wanted.descending, wanted.length),
        (Order::RunTime, true, 3)
    );
}

#[test]
fn a_run_that_lasts_has_its_pages_at_the_root() {
    let page = |path| match of_run(path, "", "a/b") {
        Ok(Route::Page(whose, page)) if whose == self::whose("a/b", None) => page,
        other => panic!("{path}: {other:?}"),
    };
    for path in ["/", "/history/a%2Fb/"] {
        assert_eq!(page(path), Page::Overview, "{path}");
    }
    assert_eq!(page("/stages/3/1/"), Page::Stage(3, 1));
    assert_eq!(page("/executors/"), Page::Executors);
    assert_eq!(page("/waiting/"), Page::Waiting);
    let moved = |to: &str| Ok(Route::Moved(to.into()));
    assert_eq!(of_run("/stages/3/1", "", "a"), moved("1/"));
    assert_eq!(of_run("/jobs/", "", "a"), moved("../"));
    assert_eq!(of_run("/metrics", "", "a"), Ok(Route::Metrics));
    let executors = "/metrics/executors/prometheus";
    assert_eq!(of_run(executors, "", "a"), Ok(Route::ExecutorMetrics));
    assert_eq!(route(executors, ""), Err(NoRoute::NotFound));
    assert_eq!(of_run("/other/", "", "a"), Err(NoRoute::NotFound));
    let events = of_run("/api/mesquite/v1/events", "from=7", "a");
    assert_eq!(events, Ok(Route::Own(Own::Events(7))));
    for (text, attempt) in [
        ("7", Some(NamedAttempt::Task(7))),
        ("2.7", Some(at(None))),
        ("2.7.1", Some(at(Some(1)))),
        ("2.7.1.0", None),
        ("../7", None),
        ("x", None),
    ] {
        let log = of_run(&format!("/api/mesquite/v1/logs/{text}"), "", "a");
        let wanted = attempt.map(|it| Route::Own(Own::Log(it)));
        assert_eq!(log, wanted.ok_or(NoRoute::NotFound), "{text}");
        assert!(attempt.is_none_or(|it| it.to_string() == text));
    }
    assert_eq!(
        route("/api/mesquite/v1/waiting", ""),
        Err(NoRoute::NotFound)
    );
}

#[test]
fn what_is_not_there_is_not_found_and_a_wrong_query_says_why() {
    for path in [
        "/x",
        "/history",
        "/api/v1",
        "/api/v1/applications/a/b/c",
        "/history/a/stages/x/1/",
        "/history/a/../../etc/passwd/",
        "/history/a/stages/4294967296/0/",
        "/%ff/",
    ] {
        assert_eq!(route(path, ""), Err(NoRoute::NotFound), "{path}");
    }
    for query in ["quantiles=2", "quantiles=x", "quantiles="] {
        let path = "/api/v1/applications/a/stages/0/0/taskSummary";
        assert!(
            matches!(route(path, query), Err(NoRoute::Query(_))),
            "{query}"
        );
    }
    for query in ["length=x", "offset=-1", "sortBy=x", "status=x"] {
        let path = "/api/v1/applications/a/stages/0/0/taskList";
        assert!(
            matches!(route(path, query), Err(NoRoute::Query(_))),
            "{query}"
        );
    }
    assert!(route("/api/v1/applications", "minDate=soon").is_err());
    assert!(route("/", &"x".repeat(5000)).is_err());
}
