import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BARS, CALLS, Table, column } from "../src/rows.js";
import { Store, patch, read } from "../src/store.js";
import { block } from "./made.js";
import { Wire, graphOf, stateOf } from "./page.js";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const call = (activity, number, status = 2) => ({ activity, number, status, attempts: 1, asked: 0.5 });
const inline = ([head, buffers]) => ({ ...head, columns: head.columns.map(([name, kind], i) =>
  [name, kind, btoa(String.fromCharCode(...new Uint8Array(buffers[i].buffer)))]) });

describe("a state", () => {
  test("takes differences: rows that changed, rows that are gone", () => {
    const state = read({ seq: 1, head: { status: "running" }, nodes: { a: { name: "a" }, b: { name: "b" } }, edges: {} });
    const before = state.nodes;
    patch(state, { seq: 2, now: 3, nodes: { a: { name: "A" }, b: null, c: { name: "c" } }, head: { status: "completed" } });
    expect([...state.nodes]).toEqual([["a", { name: "A" }], ["c", { name: "c" }]]);
    expect(state.head.status).toBe("completed");
    expect(before.size).toBe(2); // who drew the old one can compare
  });

  test("may have a call named __proto__", () => {
    const state = read(JSON.parse('{"nodes": {"__proto__": {"name": "__proto__"}}}'));
    patch(state, { seq: 1, now: 0, nodes: JSON.parse('{"__proto__": {"name": "again"}}') });
    expect(state.nodes.get("__proto__")).toEqual({ name: "again" });
    expect({}.name).toBeUndefined();
  });
});

describe("a table", () => {
  test("grows, keeps what it has, and takes a block twice without harm", () => {
    const table = new Table(CALLS), rows = Array.from({ length: 5000 }, (_, i) => call(i % 7, i));
    for (const from of [0, 2500, 0]) {
      const [head, buffers] = block("calls", rows.slice(from, from + 2500), from);
      table.take(head, buffers);
    }
    expect(table.count).toBe(5000);
    expect(rows.every((row, i) => table.column.number[i] === row.number && table.column.activity[i] === row.activity)).toBe(true);
  });

  test("counts only as far as there is no hole, and closes it", () => {
    const table = new Table(CALLS), send = (from, count) => table.take(...block("calls", Array.from({ length: count }, (_, i) => call(0, from + i)), from));
    send(10, 5);
    expect(table.count).toBe(0);
    send(0, 4);
    expect(table.count).toBe(4);
    send(4, 6);
    expect(table.count).toBe(15);
    expect(table.column.number[14]).toBe(14);
  });

  test("takes rows here and there", () => {
    const table = new Table(CALLS);
    table.take(...block("calls", [call(0, 1), call(0, 2), call(0, 3)]));
    table.take(...block("calls", [call(0, 30, 5), call(0, 10, 4)], 0, [2, 0]));
    expect([...table.column.number.slice(0, 3)]).toEqual([10, 2, 30]);
    expect([...table.column.status.slice(0, 3)]).toEqual([4, 2, 5]);
    expect(table.count).toBe(3);
  });

  test("reads numbers that lie at odd places of a bigger buffer", () => {
    const bytes = new Uint8Array(19);
    new DataView(bytes.buffer).setFloat64(3, 1.25, true);
    new DataView(bytes.buffer).setFloat64(11, NaN, true);
    expect([...column("f8", new DataView(bytes.buffer, 3, 16))]).toEqual([1.25, NaN]);
    expect(() => column("i9", new ArrayBuffer(1))).toThrow(/i9/);
  });

  test("passes over columns that it does not know", () => {
    const table = new Table(BARS), [head, buffers] = block("calls", [call(3, 4)]);
    table.take(head, buffers);
    expect(buffers.length).toBe(0);
    expect(table.column.status[0]).toBe(2);
  });
});

describe("a store", () => {
  const small = () => stateOf(graphOf([["a"], ["b", ["a"]]]), { tables: { calls: 2, bars: 0 } });
  const open = (state = small(), traits) => {
    const model = new Wire(state, traits);
    return { model, store: new Store(model) };
  };
  const delta = (seq, more = {}, base = seq - 1) => ({ kind: "delta", seq, base, now: seq, ...more });

  test("asks for the state and for the rows at its start", () => {
    const { model } = open();
    expect(model.sent).toEqual([{ kind: "ask" }, { kind: "rows", calls: 0, bars: 0 }]);
  });

  test("asks nothing if the rows are in the state of a run that is over", () => {
    const state = { ...small(), rows: [inline(block("calls", [call(0, 1), call(0, 2)]))] };
    state.head.status = "completed";
    const { model, store } = open(state);
    expect(model.sent).toEqual([]);
    expect(store.calls.count).toBe(2);
    expect(store.calls.column.number[1]).toBe(2);
  });

  test("follows differences in order", () => {
    const { model, store } = open();
    model.tell(delta(2, { nodes: { a: { name: "A" } } }));
    model.tell(delta(3, { head: { status: "completed", ended: 3 } }));
    expect(store.state.seq).toBe(3);
    expect(store.state.nodes.get("a").name).toBe("A");
    expect(store.status).toBe("completed");
  });

  test("asks once when a difference is missing, and for all rows after it", () => {
    const { model, store } = open();
    model.tell({ kind: "rows", blocks: [block("calls", [call(0, 1), call(0, 2)])[0]] }, block("calls", [call(0, 1), call(0, 2)])[1]);
    vi.advanceTimersByTime(5000);
    model.sent.length = 0;
    model.tell(delta(3));
    model.tell(delta(4));
    expect(model.sent).toEqual([{ kind: "ask" }]);
    expect(store.state.seq).toBe(1);
    model.put("state", { ...small(), seq: 5 });
    expect(model.sentOf("rows")).toEqual([{ kind: "rows", calls: 0, bars: 0 }]);
    expect(store.state.seq).toBe(5);
  });

  test("asks for all rows when a whole state leaps over differences that never came", () => {
    const { model, store } = open();
    model.tell({ kind: "rows", blocks: [block("calls", [call(0, 1), call(0, 2)])[0]] }, block("calls", [call(0, 1), call(0, 2)])[1]);
    vi.advanceTimersByTime(5000);
    model.sent.length = 0;
    model.put("state", { ...small(), seq: 2 });
    expect(model.sent).toEqual([]);
    model.put("state", { ...small(), seq: 7 });
    expect(model.sent).toEqual([{ kind: "rows", calls: 0, bars: 0 }]);
    expect(store.calls.count).toBe(0);
  });

  test("passes over what is older than it knows, and what comes twice", () => {
    const { model, store } = open({ ...small(), seq: 9 });
    model.sent.length = 0;
    model.tell(delta(3, { head: { status: "failed" } }));
    model.put("state", { ...small(), seq: 8, head: { status: "failed" } });
    model.tell(delta(10, { now: 4 }));
    model.tell(delta(10, { head: { status: "failed" } }));
    expect(store.status).toBe("running");
    expect(model.sent).toEqual([]);
  });

  test("takes blocks with a difference, and asks for those that did not fit", () => {
    const { model, store } = open();
    vi.advanceTimersByTime(5000);
    model.sent.length = 0;
    const [head, buffers] = block("calls", [call(0, 1), call(0, 2, 4)]);
    model.tell(delta(2, { blocks: [head], tables: { calls: 3, bars: 0 } }), buffers);
    expect(store.calls.count).toBe(2);
    expect(store.calls.column.status[1]).toBe(4);
    expect(model.sent).toEqual([{ kind: "rows", calls: 2, bars: 0 }]);
  });

  test("passes over a table that it does not know, and takes the next", () => {
    const { model, store } = open(), [head, buffers] = block("calls", [call(0, 7)]);
    model.tell({ kind: "rows", blocks: [{ ...head, table: "other" }, head] }, [...block("calls", [call(1, 1)])[1], ...buffers]);
    expect(store.calls.column.number[0]).toBe(7);
  });

  test("is disconnected, and never done, when the kernel goes", () => {
    for (const status of ["dead", "autorestarting", "terminating"]) {
      const { model, store } = open();
      model.widget_manager.kernel.statusChanged.emit(status);
      expect(store.status).toBe("disconnected");
      model.tell(delta(2));
      expect(store.status).toBe("running"); // it was there after all
    }
    const { model, store } = open({ ...small(), head: { status: "completed", ended: 1 } });
    model.widget_manager.kernel.connectionStatusChanged.emit("disconnected");
    expect(store.status).toBe("completed");
  });

  test("is disconnected after a long silence", () => {
    const { store } = open();
    vi.advanceTimersByTime(20_000);
    expect(store.status).toBe("disconnected");
    expect(store.now).toBe(2);
  });

  test("sends an action once, if it can be done", () => {
    const { model, store } = open(small(), { actions: ["cancel"] });
    model.sent.length = 0;
    store.act("retry");
    store.act("cancel");
    store.act("cancel");
    expect(model.sent).toEqual([{ kind: "cancel" }]);
    vi.advanceTimersByTime(2500);
    expect(store.late).toBe(true);
    model.tell({ kind: "note", text: "not cancelled: it is driven elsewhere" });
    expect([store.late, store.isPressed("cancel"), store.note]).toEqual([false, false, "not cancelled: it is driven elsewhere"]);
  });

  test("keeps lines of the log at their places, however they come", () => {
    const { model, store } = open(), line = (n) => [n, 0, 1, "stdout", `line ${n}`];
    model.tell({ kind: "log", from: 0, lines: [line(0), line(1)], cut: 0 });
    model.tell(delta(2, { log: { from: 1, lines: [line(1), line(2)], cut: 0 } }));
    expect(store.log.lines.map(([n]) => n)).toEqual([0, 1, 2]);
    vi.advanceTimersByTime(2000);
    model.tell(delta(3, { log: { from: 9, lines: [line(9)], cut: 0 } }));
    expect(model.sentOf("log")).toEqual([{ kind: "log", from: 3 }]);
  });

  test("asks for lines of the log that were told before it was there", () => {
    const { model, store } = open(), line = (n) => [n, 0, 1, "stdout", `line ${n}`];
    model.tell(delta(2, { log: { from: 2, lines: [line(2)], cut: 0 } }));
    store.askLog();
    expect(model.sentOf("log")).toEqual([{ kind: "log", from: 0 }]);
    model.tell({ kind: "log", from: 0, lines: [line(0), line(1), line(2)], cut: 0 });
    expect(store.log.lines.map(([n]) => n)).toEqual([0, 1, 2]);
    vi.advanceTimersByTime(2000);
    store.askLog();
    expect(model.sentOf("log").at(-1)).toEqual({ kind: "log", from: 3 });
  });

  test("knows no message but those that it should", () => {
    const { model, store } = open();
    for (const message of [null, undefined, {}, { kind: "toString" }, { kind: "__proto__" }]) model.tell(message);
    expect(store.state.seq).toBe(1);
  });
});
