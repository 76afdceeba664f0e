// @vitest-environment node
import { describe, expect, it } from "vitest";
import { bytes, columnsOf, latestBars, rowOf } from "../src/attempts.js";
import { matcher, order, parse, ranks } from "../src/calls_query.js";
import { Rows } from "../src/calls_rows.js";
import { LogLines, asText, isOf, kindOf, markOf, stamp } from "../src/log_lines.js";
import { Store } from "../src/store.js";
import { Model, S, made, random } from "./made.js";

const storeOf = (run, options) => new Store(new Model(run, options));
const NAMED = { id: (row) => row.id, activity: (row) => row.activity ?? "fit", status: (row) => row.status ?? "done", worker: (row) => row.worker ?? "worker-1",
  attempts: (row) => row.attempts ?? 1, queued: (row) => row.queued ?? 0, ran: (row) => row.ran ?? 0, packing: () => 0, started: () => 0 };
const fits = (text, row, statuses = []) => matcher(parse(text), new Set(statuses), NAMED)(row);

describe("a filter", () => {
  it("looks for text in the id and the activity, whatever the case", () => {
    expect([fits("T-1", { id: "fit-12" }), fits("LOAD", { id: "x-1", activity: "load" }), fits("zzz", { id: "fit-1" }), fits("", { id: "a" })]).toEqual([true, true, false, true]);
  });

  it("knows status, activity, worker and id, with several values", () => {
    expect([fits("status:fail", { id: "a", status: "failed" }), fits("status:failed,running", { id: "a", status: "running" }),
      fits("worker:2", { id: "a", worker: "worker-12" }), fits("worker:3", { id: "a" }), fits('id:"a-1"', { id: "a-1" })]).toEqual([true, true, true, false, true]);
  });

  it("compares amounts in their units", () => {
    const row = { id: "a", attempts: 2, ran: 1.4, queued: 0.2 };
    expect(["attempts:2", "attempts:>1", "attempts:>2", "ran:>1s", "ran:>=1400ms", "ran:<1m", "queued:<100ms"].map((text) => fits(text, row)))
      .toEqual([true, true, false, true, true, true, false]);
  });

  it("holds if all terms do; a minus turns one round", () => {
    const row = { id: "fit-1", status: "failed" };
    expect([fits("fit status:failed", row), fits("fit status:done", row), fits("-status:failed", row), fits("-status:done fit", row)]).toEqual([true, false, false, true]);
  });

  it("takes unfinished and unknown terms as no terms, or as text", () => {
    expect(parse("status: ran: -")).toEqual([{ not: false, key: "text", values: ["-"] }]);
    expect(fits("weird:x", { id: "weird:x-1" })).toBe(true);
    expect(fits("constructor:a", { id: "fit-1" })).toBe(false);
    expect(fits("ran:long", { id: "fit-1" })).toBe(false);
  });

  it("has chosen statuses as well", () => {
    expect([fits("", { id: "a" }, ["done"]), fits("", { id: "a" }, ["failed"]), fits("b", { id: "a" }, ["done"])]).toEqual([true, false, false]);
  });
});

describe("an order", () => {
  it.each(Array.from({ length: 25 }, (_, i) => i + 1))("is that of the keys, stable, and what has none is last (%i)", (seed) => {
    const next = random(seed), keys = Array.from({ length: 80 }, () => (next() < 0.2 ? NaN : Math.floor(next() * 9)));
    for (const down of [false, true]) {
      const rows = order(keys.map((_, i) => i), (row) => keys[row], down);
      expect([...rows].sort((a, b) => a - b)).toEqual(keys.map((_, i) => i));
      rows.slice(1).forEach((row, i) => {
        const [one, two] = [keys[rows[i]], keys[row]];
        if (Number.isNaN(one)) expect(two).toBeNaN();
        else if (!Number.isNaN(two)) expect(down ? one >= two : one <= two).toBe(true);
        if (Object.is(one, two)) expect(row).toBeGreaterThan(rows[i]);
      });
    }
  });

  it("of names is the natural one", () => {
    expect([...ranks(["w-10", "w-9", "a"])]).toEqual([2, 1, 0]);
  });
});

describe("rows", () => {
  it("say of a call what its latest attempt says", () => {
    const store = storeOf(made({ count: 40, failing: 0.4, seed: 5 })), bars = columnsOf(store.bars), latest = latestBars(bars, store.calls.count);
    const { read } = new Rows(store, "call");
    for (let call = 0; call < store.calls.count; call++) {
      const mine = store.model.run.bars.filter((bar) => bar.call === call), last = mine.find(({ attempt }) => attempt === Math.max(...mine.map((one) => one.attempt)));
      expect(store.model.run.bars[latest[call]]).toBe(last);
      expect(read.ran(call)).toBeCloseTo(last.ended - last.started);
      expect(read.attempts(call)).toBe(last.attempt);
    }
  });

  it("are one for each attempt if asked so, and the filter counts them", () => {
    const store = storeOf(made({ count: 40, failing: 0.4, seed: 5 })), rows = new Rows(store, "attempt");
    expect(rows.count).toBe(store.model.run.bars.length);
    const failed = rows.list("status:failed", new Set(), "started", true);
    expect(failed.length).toBe(store.model.run.bars.filter(({ status }) => status === S.failed).length);
    expect(failed.length).toBeGreaterThan(3);
    failed.slice(1).forEach((row, i) => expect(store.bars.column.started[row]).toBeLessThanOrEqual(store.bars.column.started[failed[i]]));
  });

  it.each(["id", "activity", "status", "attempts", "queued", "ran", "packing", "worker", "started"])("can be ordered by %s, up being down turned round but for ties and gaps", (column) => {
    const rows = new Rows(storeOf(made({ count: 60, failing: 0.3, until: 3, seed: 2 })), "call"), key = rows.keyOf(column);
    const up = rows.list("", new Set(), column, false), down = rows.list("", new Set(), column, true);
    const known = (list) => list.map((row) => key(row)).filter((value) => !Number.isNaN(value));
    expect(known(up)).toEqual([...known(up)].sort((a, b) => a - b));
    expect(known(down)).toEqual([...known(up)].reverse());
    expect(up.length).toBe(60);
  });

  it("of ids go by activity and number", () => {
    const store = storeOf(made({ count: 30, activities: ["b", "a"] })), list = new Rows(store, "call").list("", new Set(), "id", false).map((row) => store.label(row));
    expect(list).toEqual([...list].sort(new Intl.Collator("en", { numeric: true }).compare));
  });

  it("are found by a call's id, also by one that is no name and number", () => {
    const run = made({ count: 10 });
    run.names.labels = { 3: "my own-x" };
    const store = storeOf(run);
    expect([rowOf(store, store.label(7)), rowOf(store, "my own-x"), rowOf(store, "none-1"), rowOf(store, "fit-99"), rowOf(store, "")]).toEqual([7, 3, -1, -1, -1]);
  });

  it("keep 100,000 calls in order within half a second", () => {
    const store = storeOf(made({ count: 2000, seed: 3 })), rows = new Rows(store, "call"), next = random(4);
    const keys = Float64Array.from({ length: 100_000 }, () => next()), began = performance.now();
    order(Array.from({ length: 100_000 }, (_, i) => i), (row) => keys[row], false);
    rows.list("fit", new Set(), "ran", true);
    expect(performance.now() - began).toBeLessThan(500 * 4); // other work may share the machine
  });

  it("sizes are written in units", () => {
    expect([bytes(0), bytes(1), bytes(999), bytes(1234), bytes(5e7), bytes(1e15)]).toEqual(["0 bytes", "1 byte", "999 bytes", "1.2 kB", "50 MB", "1000 TB"]);
  });
});

describe("lines of the log", () => {
  const line = (i, channel = "stdout", text = `line ${i}`) => [i, i % 3, 1, channel, text];
  const all = { text: "", call: null, channel: "all" };
  const label = (call) => `fit-${call}`;

  it("are told apart by channel and level", () => {
    expect(["stdout", "stderr", "log:INFO", "log:WARNING", "log:ERROR", "log:CRITICAL", "log:DEBUG", "log:own"].map(kindOf)).toEqual(["stdout", "stderr", "info", "warning", "error", "error", "debug", "info"]);
    expect([markOf("stdout"), markOf("stderr"), markOf("log:WARNING")]).toEqual(["", "stderr", "WARNING"]);
    expect([isOf("log:INFO", "log"), isOf("stderr", "err"), isOf("stdout", "err"), isOf("stdout", "out")]).toEqual([true, true, false, true]);
  });

  it("are kept up as they come, the same as if filtered anew", () => {
    const log = { lines: [], first: 0 }, lines = new LogLines(), filter = { ...all, call: 1 };
    for (let i = 0; i < 30; i++) {
      log.lines.push(line(i));
      expect(lines.update(log, filter, label)).toEqual(log.lines.filter(([, call]) => call === 1));
    }
  });

  it("are filtered anew when the filter or the first line changes", () => {
    const log = { lines: [line(0), line(1), line(2, "stderr", "Oh no")], first: 0 }, lines = new LogLines();
    expect(lines.update(log, all, label)).toHaveLength(3);
    expect(lines.update(log, { ...all, text: "oh" }, label)).toEqual([log.lines[2]]);
    expect(lines.update(log, { ...all, text: "FIT-1" }, label)).toEqual([log.lines[1]]);
    expect(lines.update({ lines: [line(9)], first: 9 }, all, label)).toEqual([line(9)]);
    expect(lines.update({ lines: [line(4)], first: 9 }, all, label)).toEqual([line(4)]);
  });

  it("are copied as text with time, call and channel", () => {
    expect(asText([[61.5, 2, 2, "log:ERROR", "bad"], [1, 0, 1, "stdout", "ok"]], label)).toBe("1:01.500\tfit-2 (attempt 2)\tERROR: bad\n1.000\tfit-0\tok");
    expect([stamp(3725.25), stamp(-1)]).toEqual(["1:02:05.250", "0.000"]);
  });
});
