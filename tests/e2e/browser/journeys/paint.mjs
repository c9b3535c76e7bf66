// How many milliseconds after the click a browser first paints something, for each page, as often as is asked for.

export default async function (site, { paths, rounds }) {
  const visitor = await site.visitor();
  const looks = [];
  for (const path of paths) {
    // The first look is for what browsers keep: the style and the script.
    await visitor.open(path);
    const times = [];
    while (times.length < rounds) {
      await visitor.open(path);
      times.push(await visitor.page.evaluate(firstPaint));
    }
    looks.push(times);
  }
  return looks;
}

/** Runs in the page. The entry may come after the page has been loaded. */
function firstPaint() {
  return new Promise((resolve) => {
    const name = "first-contentful-paint";
    const seen = (entries) => entries.filter((entry) => entry.name === name).map((entry) => resolve(entry.startTime));
    new PerformanceObserver((list) => seen(list.getEntries())).observe({ type: "paint", buffered: true });
  });
}
