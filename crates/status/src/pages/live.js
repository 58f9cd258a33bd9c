// Keeps a page of a run that lasts up to date: once a second it is fetched again and what it
// shows is put in place. Not while it stands in the background, while something in it has the
// focus or is marked, or while whoever reads it has stopped it.
"use strict";
(() => {
  const main = document.querySelector("main");
  const stop = document.getElementById("stop");
  const told = document.getElementById("told");
  const say = (text) => {
    if (told.textContent !== text) told.textContent = text;
  };
  let stopped = false;
  stop.hidden = false;
  stop.addEventListener("click", () => {
    stopped = !stopped;
    stop.textContent = stopped ? "Go on" : "Stand still";
  });
  const isRead = () => main.contains(document.activeElement) || !getSelection().isCollapsed;
  const put = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const next = page.querySelector("main");
    if (!next || next.innerHTML === main.innerHTML) return;
    const places = [...main.querySelectorAll(".wide")].map((it) => it.scrollLeft);
    main.replaceChildren(...next.childNodes);
    main.querySelectorAll(".wide").forEach((it, at) => {
      it.scrollLeft = places[at] || 0;
    });
    document.title = page.title;
  };
  const look = async () => {
    if (!stopped && !document.hidden && !isRead()) {
      try {
        const answer = await fetch(location.href, { cache: "no-store" });
        const text = await answer.text();
        if (answer.ok) put(text);
        say("");
      } catch {
        say("The run is over, or its driver cannot be reached: this is how it was last.");
      }
    }
    setTimeout(look, 500);
  };
  setTimeout(look, 500);
})();
