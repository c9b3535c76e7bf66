// Makes pages nicer that can be read without it: local times on hover, and parts that
// follow what happens.

function localTimes(root) {
  for (const time of root.querySelectorAll("time[data-instant]")) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}
localTimes(document);

// Makes one tree like another, and leaves alone what is alike: focus, scrolling, selections and
// opened details stay as the visitor has them.
function liken(shown, wanted) {
  if (shown.nodeType !== wanted.nodeType || shown.nodeName !== wanted.nodeName) {
    shown.replaceWith(wanted);
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.data !== wanted.data) shown.data = wanted.data;
    return;
  }
  const isTheVisitors = (name) => name === "open" && shown.nodeName === "DETAILS";
  for (const { name } of [...shown.attributes]) {
    if (!wanted.hasAttribute(name) && !isTheVisitors(name)) shown.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (shown.getAttribute(name) !== value && !isTheVisitors(name)) shown.setAttribute(name, value);
  }
  likenChildren(shown, wanted);
}

function likenChildren(shown, wanted) {
  const next = [...wanted.childNodes];
  const now = [...shown.childNodes];
  next.forEach((node, position) => {
    if (position < now.length) liken(now[position], node);
    else shown.append(node);
  });
  for (const node of now.slice(next.length)) node.remove();
}

// Whether the visitor has to sign in again: the page then leads elsewhere.
async function isSignedOut() {
  try {
    return (await fetch(location, { method: "HEAD", redirect: "manual" })).type === "opaqueredirect";
  } catch {
    return false;
  }
}

// Follows a run while somebody can see it: browsers allow few connections to a site, and each
// stream holds one.
function follow(part) {
  let states;
  function open() {
    if (states || document.hidden) return;
    states = new EventSource(part.dataset.live);
    states.addEventListener("state", (event) => {
      const wanted = document.createElement("template");
      wanted.innerHTML = event.data;
      localTimes(wanted.content);
      likenChildren(part, wanted.content);
      document.getElementById("no-news")?.remove();
    });
    states.addEventListener("ended", () => {
      close();
      // What can be done with a run is another once it has ended.
      location.reload();
    });
    states.addEventListener("error", refused);
  }
  function close() {
    states?.close();
    states = undefined;
  }
  // A browser comes again by itself when the stream ends early, but not once it is refused.
  async function refused() {
    if (states?.readyState !== EventSource.CLOSED) return;
    close();
    if (await isSignedOut()) {
      location.reload();
      return;
    }
    if (!document.getElementById("no-news")) {
      const note = document.createElement("p");
      note.id = "no-news";
      note.className = "notice";
      note.setAttribute("role", "status");
      note.textContent = "There is no news for now. Reload the page to see why.";
      part.before(note);
    }
    setTimeout(open, 5000);
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
document.querySelectorAll("[data-live]").forEach(follow);

// Asks again for what nothing sends events of for now, and loads the page anew once it has changed.
function askAgain(part) {
  setTimeout(async () => {
    const answer = document.hidden ? undefined : await fetch(location, { redirect: "manual" }).catch(() => {});
    // Who has to sign in again is led elsewhere; a console that does not answer may answer later.
    const isAnswer = answer !== undefined && answer.status < 500;
    if (isAnswer && !(answer.ok && isAlike(part, await answer.text()))) location.reload();
    else askAgain(part);
  }, Number(part.dataset.reload) * 1000);
}
function isAlike(part, page) {
  const next = new DOMParser().parseFromString(page, "text/html").querySelector("[data-reload]");
  if (next) localTimes(next);
  return part.isEqualNode(next);
}
document.querySelectorAll("[data-reload]").forEach(askAgain);

// Commands: a button that copies, and the flags that a form's fields stand for.
for (const code of document.querySelectorAll("code[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      // Browsers allow it on secure pages alone: the command is selected instead.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
  code.after(button);
}

function flagsOf(form) {
  const days = (text) => text.split(/[\s,;]+/).filter((word) => /^\d{4}-\d{2}-\d{2}$/.test(word));
  const flags = [];
  for (const field of form.querySelectorAll("[data-flag]")) {
    const { flag } = field.dataset;
    if (field.type === "checkbox") {
      if (field.checked) flags.push(...flag.split(" "));
    } else {
      flags.push(...days(field.value).map((day) => `${flag} ${day}`));
    }
  }
  const from = form.elements.from?.value;
  const to = form.elements.to?.value;
  // One day alone is both ends.
  if (from && !to) flags.push(`--to ${from}`);
  if (to && !from) flags.push(`--from ${to}`);
  return [...new Set(flags)];
}

for (const form of document.querySelectorAll("form[data-command]")) {
  const code = document.getElementById(form.dataset.command);
  form.addEventListener("input", () => {
    code.textContent = ["activityctl trigger", ...flagsOf(form)].join(" ");
  });
}
