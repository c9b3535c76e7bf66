// Makes pages nicer that can be read without it: local times on hover, and parts that
// follow what happens.

for (const time of document.querySelectorAll("time[data-instant]")) {
  const at = new Date(time.dateTime);
  time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}
