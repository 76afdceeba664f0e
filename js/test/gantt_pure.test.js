// @vitest-environment node
import { describe, expect, it } from "vitest";
import { Bins, runsOf, sortOut, summary } from "../src/gantt_bins.js";
import { firstAt, freeAt, packLanes, spanOf, touching, workBy } from "../src/gantt_lanes.js";
import { SHORTEST, kept, panned, roundStep, tickWord, ticksIn, zoomed } from "../src/gantt_scale.js";
import { BAR_COLUMNS, S, columns, random } from "./made.js";

const barsOf = (rows) => columns(rows, BAR_COLUMNS);
const NOW = 60;

/** Bars of some workers, some running, some at once, in no order. */
function anyBars(seed, count = 60) {
  const next = random(seed), rows = [];
  for (let i = 0; i < count; i++) {
    const started = next() * 50, open = next() < 0.1;
    rows.push({ call: i, attempt: 1, worker: Math.floor(next() * 4), status: open ? S.running : next() < 0.2 ? S.failed : S.done,
      ready: started - next(), started, ended: open ? NaN : started + next() ** 4 * 9, packing: next() < 0.3 ? next() : 0 });
  }
  return barsOf(rows);
}

const seeds = Array.from({ length: 40 }, (_, i) => i + 1);

describe("lanes", () => {
  const pack = (bars) => packLanes(bars, (row) => bars.worker[row], (worker) => `worker-${worker + 1}`);

  it.each(seeds)("hold each bar once, in a lane of its worker, and none that overlap (%i)", (seed) => {
    const bars = anyBars(seed), packed = pack(bars);
    const rows = packed.lanes.flatMap((lane) => [...lane.rows]);
    expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: bars.count }, (_, i) => i));
    packed.lanes.forEach((lane, at) => lane.rows.forEach((row, i) => {
      expect(packed.of[row]).toBe(at);
      expect(bars.worker[row]).toBe(lane.group);
      if (i) expect(freeAt(bars, lane.rows[i - 1])).toBeLessThanOrEqual(bars.started[row] + 1e-4);
    }));
  });

  it.each(seeds)("are as few as there are bars at once (%i)", (seed) => {
    const bars = anyBars(seed), packed = pack(bars);
    for (const { group, lanes } of packed.groups) {
      const mine = Array.from({ length: bars.count }, (_, row) => row).filter((row) => bars.worker[row] === group);
      const atOnce = Math.max(...mine.map((row) => mine.filter((other) => other === row ||
        (bars.started[other] <= bars.started[row] && freeAt(bars, other) > bars.started[row] + 1e-4)).length));
      expect(lanes).toBeLessThanOrEqual(Math.max(1, atOnce));
    }
  });

  it("come in the natural order of the workers' names", () => {
    const bars = barsOf([10, 9, 2].map((worker, i) => ({ worker, started: i, ended: i + 0.5 })));
    expect(packLanes(bars, (row) => bars.worker[row], (n) => `worker-${n}`).groups.map(({ name }) => name)).toEqual(["worker-2", "worker-9", "worker-10"]);
    expect(packLanes(bars, (row) => bars.worker[row], () => "b", false).groups.map(({ group }) => group)).toEqual([2, 9, 10]);
  });

  it("count the work of running bars up to now", () => {
    const [group] = pack(barsOf([{ started: 1, ended: 3 }, { started: 4, ended: NaN }])).groups;
    expect(workBy(group, 4.5)).toBeCloseTo(2.5);
    expect(workBy(group, 3.9)).toBeCloseTo(2);
  });

  it.each(seeds.slice(0, 15))("find what touches a stretch as a look at each bar does (%i)", (seed) => {
    const bars = anyBars(seed), next = random(seed + 99);
    for (const { rows } of pack(bars).lanes) {
      const from = next() * 50, to = from + next() * 5;
      const end = (row) => (freeAt(bars, row) === Infinity ? NOW : freeAt(bars, row));
      expect(touching(bars, rows, from, to, NOW)).toEqual(rows.filter((row) => bars.started[row] <= to && end(row) >= from));
      expect(firstAt(bars, rows, from)).toBe(rows.filter((row) => bars.started[row] < from).length);
    }
  });

  it("span all bars and the run, clocks before its start included", () => {
    const bars = barsOf([{ ready: -0.5, started: 1, ended: 2, packing: 3 }, { ready: 1, started: 1, ended: NaN }]);
    expect(spanOf(bars, 1)).toEqual([-0.5, 5]);
    expect(spanOf(bars, 9)).toEqual([-0.5, 9]);
    expect(spanOf(barsOf([]), 0)).toEqual([0, 1e-3]);
  });
});

describe("bins", () => {
  const view = (bars, from, to, columnCount) => ({ from, scale: columnCount / (to - from), columns: columnCount, now: NOW,
    kindOf: (row) => bars.call[row] % 3, failed: S.failed });

  it.each(seeds)("lose no failure, and show the busy share of each column (%i)", (seed) => {
    const bars = anyBars(seed, 200), from = 5, to = 45, count = 37, wide = (to - from) / count;
    for (const { rows } of packLanes(bars, (row) => bars.worker[row], String).lanes) {
      const bins = new Bins(count, 3), left = [];
      sortOut(bars, rows, view(bars, from, to, count), Infinity, bins, left);
      expect(left).toEqual([]);
      const end = (row) => (freeAt(bars, row) === Infinity ? NOW : freeAt(bars, row));
      const failures = rows.filter((row) => bars.status[row] === S.failed && bars.started[row] < to && end(row) >= from);
      expect(bins.failed.reduce((a, b) => a + b, 0)).toBe(failures.length);
      for (let c = 0; c < count; c++) {
        const low = from + c * wide, share = rows.reduce((sum, row) => sum + Math.max(0, Math.min(end(row), low + wide) - Math.max(bars.started[row], low)), 0) / wide;
        expect(bins.busy(c)).toBeCloseTo(Math.min(1, share), 3);
      }
    }
  });

  it.each(seeds.slice(0, 15))("and bars of their own share the bars in sight between them (%i)", (seed) => {
    const bars = anyBars(seed, 120), looked = view(bars, 10, 30, 100);
    for (const { rows } of packLanes(bars, (row) => bars.worker[row], String).lanes) {
      const bins = new Bins(100, 3), own = [];
      sortOut(bars, rows, looked, 3, bins, own);
      const seen = touching(bars, rows, 10, 30, NOW);
      const end = (row) => (freeAt(bars, row) === Infinity ? NOW : freeAt(bars, row));
      expect(own.map((i) => rows[i])).toEqual(seen.filter((row) => (end(row) - bars.started[row]) * looked.scale >= 3));
    }
  });

  it("name who took most of a column, and forget a lane when asked", () => {
    const bins = new Bins(4, 3);
    bins.add(0, 0.3, 0, false);
    bins.add(0.3, 0.9, 2, true);
    expect([bins.main(0), bins.main(1), bins.counts[0], bins.failed[0]]).toEqual([2, -1, 2, 1]);
    bins.add(-5, 9, 1, false);
    expect(Array.from({ length: 4 }, (_, c) => bins.main(c))).toEqual([1, 1, 1, 1]);
    bins.clear();
    expect([bins.main(0), bins.counts[2], bins.failed[0], bins.busy(3)]).toEqual([-1, 0, 0, 0]);
  });

  it("show bars of no length", () => {
    const bins = new Bins(3, 1);
    bins.add(1.5, 1.5, 0, false);
    expect([bins.main(0), bins.main(1), bins.main(2)]).toEqual([-1, 0, -1]);
  });

  it("join marks that are near each other, each wide enough to be seen", () => {
    const marked = new Set([2, 3, 9]);
    expect(runsOf(0, 12, (c) => marked.has(c), 3)).toEqual([[2, 6], [9, 12]]);
  });

  it("are summed up with the failed one to be named", () => {
    const bars = barsOf([{ started: 0, ended: 4, status: S.done }, { started: 4, ended: 4.1, status: S.failed }]);
    const found = summary(bars, [0, 1], S.failed, () => 0, 2, 6, NOW);
    expect([found.count, found.row, found.statuses.get(S.failed)]).toEqual([2, 1, 1]);
    expect(found.busy).toBeCloseTo((2 + 0.1) / 4);
  });
});

describe("the axis", () => {
  it.each(seeds)("has round times inside the window, evenly, and no two words alike (%i)", (seed) => {
    const next = random(seed), from = next() * 10 ** (next() * 6 - 2), wide = 10 ** (next() * 9 - 4.5), most = 3 + Math.floor(next() * 9);
    const found = ticksIn([from, from + wide], most), step = roundStep(wide / most);
    expect(found.length).toBeLessThanOrEqual(most + 1);
    expect(found.length).toBeGreaterThanOrEqual(Math.floor(wide / step));
    for (const [at] of found) {
      expect(at).toBeGreaterThanOrEqual(from - step * 1e-3);
      expect(at).toBeLessThanOrEqual(from + wide + step * 1e-3);
    }
    expect(new Set(found.map(([, word]) => word)).size).toBe(found.length);
  });

  it("goes in steps of 1, 2 or 5, and of minutes and hours", () => {
    expect([0.0011, 0.3, 4, 21, 61, 4000].map(roundStep).map((step) => +step.toPrecision(3))).toEqual([0.002, 0.5, 5, 30, 120, 7200]);
  });

  it("writes times with the digits that the step asks for", () => {
    expect([tickWord(0, 1, 5), tickWord(0.0002, 0.0001, 0.0005), tickWord(0.02, 0.01, 0.05), tickWord(2.5, 0.5, 5),
      tickWord(10, 10, 70), tickWord(75, 5, 90), tickWord(120, 60, 300), tickWord(3661.5, 0.5, 4000), tickWord(7200, 3600, 9000)])
      .toEqual(["0", "200 µs", "20 ms", "2.5 s", "10 s", "1m 15s", "2m", "1h 01m 01.5s", "2h 00m"]);
  });

  it.each(seeds)("zooms about the pointer and stays within the run (%i)", (seed) => {
    const next = random(seed), whole = [0, 100];
    let shown = whole;
    for (let i = 0; i < 40; i++) {
      const part = next(), at = shown[0] + (shown[1] - shown[0]) * part;
      const then = next() < 0.3 ? panned(shown, (next() - 0.5) * 80, whole) : zoomed(shown, 0.3 + next() * 1.6, part, whole);
      expect(then[0]).toBeGreaterThanOrEqual(0);
      expect(then[1]).toBeLessThanOrEqual(100 + 1e-9);
      expect(then[1] - then[0]).toBeGreaterThanOrEqual(SHORTEST * 0.9);
      const near = zoomed(shown, 0.5, part, whole);
      expect(near[0] + (near[1] - near[0]) * part).toBeCloseTo(at, 6);
      shown = then;
    }
    expect(kept([-50, 250], whole)).toEqual(whole);
  });
});
