// The model of a page without a kernel.

import { describe, expect, test } from "vitest";
import { Embedded } from "../src/embedded.js";
import { storeOf } from "../src/store.js";
import { LOOK } from "./made.js";

const base64 = (array) => Buffer.from(array.buffer).toString("base64");

/** A block of rows as the page has it. */
function block(table, columns) {
  const found = Object.entries(columns).map(([name, [kind, array]]) => [name, kind, base64(array)]);
  return { table, from: 0, count: Object.values(columns)[0][1].length, at: false, columns: found };
}

const box = (name) => ({ box: [0, 0, 10, 10], status: "done", name });

function data(more = {}) {
  const groups = { mode: "groups", open: [], view: { mode: "groups", open: [], modes: ["calls", "groups"], canvas: false },
    graph: { width: 10, height: 10 }, nodes: { g0: box("fetch"), g1: box("convert") }, edges: { "g0>g1": ["data"] } };
  const opened = { ...groups, open: [1], view: { ...groups.view, open: [1] }, nodes: { g0: box("fetch"), c1: box("convert-1") }, edges: { "g0>c1": ["data"] } };
  const calls = { ...groups, mode: "calls", view: { ...groups.view, mode: "calls", canvas: true }, nodes: {}, edges: {},
    scene: { head: { width: 5, height: 5, count: 1, edges: 0 }, columns: [base64(Uint32Array.of(7))] } };
  return {
    look: LOOK,
    state: {
      seq: 0, now: 3, head: { run: "r", status: "completed", ended: 3, counts: { done: 1, failed: 1 } },
      names: { activities: ["fetch", "convert"], workers: ["w"], labels: {} }, critical: [], view: groups.view, graph: groups.graph,
      nodes: groups.nodes, edges: groups.edges, tables: { calls: 2, bars: 3 },
      rows: [
        block("calls", { activity: ["u2", Uint16Array.of(0, 1)], number: ["u4", Uint32Array.of(1, 1)], status: ["u1", Uint8Array.of(5, 4)],
          attempts: ["u2", Uint16Array.of(2, 1)], asked: ["f8", Float64Array.of(0, 0)] }),
        block("bars", { call: ["u4", Uint32Array.of(0, 1, 0)], attempt: ["u2", Uint16Array.of(1, 1, 2)], worker: ["u2", Uint16Array.of(0, 0, 0)],
          status: ["u1", Uint8Array.of(5, 4, 5)], ready: ["f8", Float64Array.of(0, 0, 1)], started: ["f8", Float64Array.of(0, 1, 2)],
          ended: ["f8", Float64Array.of(1, 2, NaN)], packing: ["f4", Float32Array.of(0, 0, 0)] }),
      ],
    },
    views: [groups, opened, calls],
    details: { 1: { call: 1, id: "convert-1", status: "done", args: [["1", "2"]], source: 0 } },
    sources: ["def convert(x): ..."],
    log: { from: 0, lines: [[0.5, 0, 1, "stdout", "hello"]], cut: 0 },
    ...more,
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("a page without a kernel", () => {
  test("has all rows, and asks nobody for more", () => {
    const model = new Embedded(data()), sent = [];
    model.send = (message) => sent.push(message);
    const store = storeOf(model);
    expect([store.calls.count, store.bars.count]).toEqual([2, 3]);
    expect(store.label(1)).toBe("convert-1");
    expect(sent).toEqual([]);
    expect(store.can("cancel") || store.can("resume")).toBe(false);
  });

  test("answers with details, and each source text is there once", async () => {
    const store = storeOf(new Embedded(data()));
    store.askDetail(1);
    expect(store.details.size).toBe(0); // not before the question has been asked to its end
    await settled();
    expect(store.details.get(1)).toMatchObject({ kind: "detail", args: [["1", "2"]], source: "def convert(x): ..." });
  });

  test("says what the rows tell of a call whose details it does not have", async () => {
    const store = storeOf(new Embedded(data()));
    store.askDetail(0);
    await settled();
    const told = store.details.get(0);
    expect(told).toMatchObject({ id: "fetch-1", activity: "fetch", status: "failed", args: [] });
    expect(told.attempts.map(({ attempt, status, started, ended, worker }) => [attempt, status, started, ended, worker]))
      .toEqual([[1, "failed", 0, 1, "w"], [2, "failed", 2, null, "w"]]);
    expect(told.why).toContain("of 1 calls");
  });

  test("gives the log", async () => {
    const store = storeOf(new Embedded(data()));
    store.askLog();
    await settled();
    expect(store.log.lines).toEqual([[0.5, 0, 1, "stdout", "hello"]]);
  });

  test("changes from view to view and back, and nothing of the old one stays", async () => {
    const store = storeOf(new Embedded(data()));
    store.arrange({ mode: "groups", open: [1] });
    await settled();
    expect([...store.state.nodes.keys()].sort()).toEqual(["c1", "g0"]);
    expect([...store.state.edges.keys()]).toEqual(["g0>c1"]);
    expect(store.state.view.open).toEqual([1]);
    store.arrange({ mode: "groups", open: [] });
    await settled();
    expect([...store.state.nodes.keys()].sort()).toEqual(["g0", "g1"]);
    store.arrange({ mode: "calls", open: [] });
    await settled();
    expect(store.state.nodes.size).toBe(0);
    expect(store.scene).toMatchObject({ kind: "scene", width: 5, count: 1 });
    expect([...new Uint32Array(store.scene.buffers[0].slice().buffer)]).toEqual([7]);
  });

  test("knows a view by the activities that are open in it, in whatever order they are asked for", async () => {
    const both = data(), [groups, opened] = both.views;
    both.views.push({ ...opened, open: [2, 10], view: { ...groups.view, open: [2, 10] } });
    const store = storeOf(new Embedded(both));
    store.arrange({ mode: "groups", open: [10, 2] });
    await settled();
    expect(store.state.view.open).toEqual([2, 10]);
  });

  test("says so where it has not the view that is asked for", async () => {
    const store = storeOf(new Embedded(data()));
    store.arrange({ mode: "groups", open: [1, 0] }); // not there, but one with the activity that is asked for besides
    await settled();
    expect(store.state.view.open).toEqual([]);
    expect(store.note).toBe("This report does not have these calls one by one in its graph.");
    const less = data();
    less.views = less.views.slice(0, 1);
    const other = storeOf(new Embedded(less));
    other.arrange({ mode: "calls", open: [] });
    await settled();
    expect(other.note).toBe("This report does not have all calls one by one in its graph.");
    expect(other.state.view.mode).toBe("groups");
  });

  test("begins with a graph of numbers where that is the one it has", () => {
    const begun = data(), calls = begun.views[2];
    begun.views = [calls];
    Object.assign(begun.state, { view: calls.view, nodes: {}, edges: {} });
    const model = new Embedded(begun), store = storeOf(model);
    model.begin();
    expect(store.scene.count).toBe(1);
  });

  test("does not stumble over messages that it does not know, or views that have gone", async () => {
    const model = new Embedded(data()), store = storeOf(model);
    for (const kind of ["constructor", "cancel", undefined]) model.send({ kind });
    model.send(undefined);
    model.off("msg:custom", () => {});
    store.deaf();
    store.askDetail(1);
    await settled();
    expect(store.details.size).toBe(0);
  });
});
