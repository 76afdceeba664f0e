import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Plan } from "../src/plan.js";
import { block } from "./made.js";
import { S, frame, graphOf, open, stateOf } from "./page.js";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const VIEW = { mode: "nested", open: [0, 1], modes: ["calls", "nested", "groups"], canvas: false };
const CALLS = [["load-1"], ["load-2"]];

/** A page with two calls in an open composition, and one that is closed beside it. */
function page() {
  const graph = graphOf(CALLS);
  const both = { status: "done", counts: { done: 2 }, side: "×2", detail: "", hint: "", activity: 8 };
  graph.nodes = { f0: { ...both, box: [0, -30, 400, 22], name: "eu", frame: 90, nest: 0 },
    p2: { ...both, box: [500, 0, 178, 52], name: "us", nest: 2 }, ...graph.nodes };
  return open(stateOf(graph, { view: VIEW }));
}

function click(shown, name) {
  const [, x, y, k] = /translate\((\S+) (\S+)\) scale\((\S+)\)/.exec(shown.find(".nbf-graph > g").getAttribute("transform")).map(Number);
  const box = shown.all(".nbf-node").find((found) => found.dataset.name === name);
  const [, left, top] = /translate\((\S+) (\S+)\)/.exec(box.getAttribute("transform")).map(Number);
  const at = { clientX: (left + 20) * k + x, clientY: (top + 10) * k + y, bubbles: true, cancelable: true, button: 0 };
  for (const kind of ["pointerdown", "pointerup"]) shown.find(".nbf-stage").dispatchEvent(new MouseEvent(kind, at));
  frame();
}

describe("compositions", () => {
  test("that are open are frames behind their calls, which the calls' boxes cover", () => {
    const shown = page(), [frames, , nodes] = shown.find(".nbf-graph > g").children;
    expect([...frames.children].map((found) => found.dataset.name)).toEqual(["eu"]);
    expect(nodes.children.length).toBe(3);
    expect(frames.querySelector(".nbf-nest").getAttribute("height")).toBe("90");
    click(shown, "load-1");
    expect(shown.model.sentOf("view")).toEqual([]);
    expect(shown.find(".nbf-node.nbf-selected").dataset.name).toBe("load-1");
  });

  test("are folded by a click on their name, and opened by one on their box", () => {
    const shown = page();
    click(shown, "eu");
    click(shown, "us");
    expect(shown.model.sentOf("view")).toEqual([{ kind: "view", mode: "nested", open: [1] }, { kind: "view", mode: "nested", open: [0, 1, 2] }]);
  });

  test("lead to each other by one line, which is near to any of their calls that are", () => {
    const graph = graphOf([["load-1"], ["load-2"], ["sum-1"], ["other-1"]]), same = ["control", "M1 1C1 2 1 3 1 4", "M1 4z", 1, 0, 0];
    graph.nodes.j1 = { box: [200, 70, 0, 0], status: "done", join: true };
    graph.edges = { "load-1>j1": [...same, "load-1", "j1", false], "load-2>j1": [...same, "load-2", "j1", true],
      "j1>sum-1": ["control", "", "", 1, 0, 0, "j1", "sum-1", false] };
    const shown = open(stateOf(graph, { view: VIEW, critical: [1] })), lines = () => shown.all(".nbf-line-of").map((line) => line.getAttribute("class"));
    expect(lines()).toEqual(["nbf-line-of nbf-control"]);
    expect(shown.all(".nbf-graph circle.nbf-head").length).toBe(0); // and by no dot
    click(shown, "load-2");
    expect(lines()).toEqual(["nbf-line-of nbf-control nbf-near"]);
    expect(shown.all(".nbf-node.nbf-dim").map((box) => box.dataset.name)).toEqual(["load-1", "other-1"]); // sum-1 hangs on it through the point
    click(shown, "other-1");
    expect(lines()).toEqual(["nbf-line-of nbf-control nbf-dim"]);
    shown.all(".nbf-tool").find((made) => made.textContent === "Critical path").click();
    frame();
    expect(lines()[0]).toContain("nbf-critical"); // by the second of them
  });

  test("can be chosen where there are any, as they were", () => {
    const shown = page(), choices = () => shown.all(".nbf-choice").filter((made) => !made.hidden).map((made) => made.textContent);
    expect(choices().slice(0, 3)).toEqual(["calls", "nested", "groups"]);
    shown.all(".nbf-choice").find((made) => made.textContent === "nested").click();
    expect(shown.model.sentOf("view")).toEqual([{ kind: "view", mode: "nested", open: null }]);
    const plain = open(stateOf(graphOf(CALLS)));
    expect(plain.all(".nbf-choice").filter((made) => made.textContent === "nested" && !made.hidden)).toEqual([]);
  });
});

describe("a child run", () => {
  const look = (shown) => { click(shown, "load-1"); };
  const told = (shown, child) => {
    shown.model.tell({ kind: "detail", call: 0, id: "load-1", label: "load-1", activity: "f", status: "done", args: [], result: "", error: "", trace: [],
      attempts: [], needs: [], feeds: [], source: "", key: "", why: "", child });
    frame();
  };

  function known(child = "r1/load-1") {
    const shown = page();
    const [head, buffers] = block("calls", [{ activity: 0, number: 1, status: S.done, attempts: 1, asked: 0 }, { activity: 0, number: 2, status: S.done, attempts: 1, asked: 0 }]);
    shown.model.tell({ kind: "rows", blocks: [head] }, buffers);
    look(shown);
    told(shown, child);
    return shown;
  }

  test("opens its panel in place, which asks and is told over the parent's line, and closes", () => {
    const shown = known();
    expect(shown.find(".nbf-kin-head").hidden).toBe(false);
    shown.find(".nbf-open-child").click();
    frame();
    expect(shown.model.sentOf("child")[0]).toEqual({ kind: "child", call: 0, message: { kind: "ask" } });
    const { look: _, ...state } = stateOf(graphOf([["inner-1"]]), { head: { run: "r1/load-1", workflow: "inner", status: "completed" } });
    shown.model.tell({ kind: "child", call: 0, state });
    frame();
    const inner = shown.find(".nbf-kin section.nbf");
    expect(inner.querySelector(".nbf-title").textContent).toBe("inner");
    expect([...inner.querySelectorAll(".nbf-node")].map((found) => found.dataset.name)).toEqual(["inner-1"]);
    shown.model.tell({ kind: "child", call: 0, message: { kind: "note", text: "from the child" } });
    frame();
    expect(inner.querySelector(".nbf-note").textContent).toBe("from the child");
    shown.find(".nbf-open-child").click();
    frame();
    expect(shown.find(".nbf-kin section.nbf")).toBe(null);
    expect(shown.model.sentOf("child").at(-1)).toEqual({ kind: "child", call: 0, message: null });
  });

  test("is closed when another call is selected, and other calls have none", () => {
    const shown = known();
    shown.find(".nbf-open-child").click();
    frame();
    click(shown, "load-2");
    expect(shown.model.sentOf("child").at(-1).message).toBe(null);
    expect(shown.find(".nbf-kin section.nbf")).toBe(null);
    expect(known("").find(".nbf-kin-head").hidden).toBe(true);
  });
});

describe("what is on the way", () => {
  test("a running call's part is a bar in its box and in its row", () => {
    const graph = graphOf(CALLS, { "load-1": { status: "running", side: "", from: 1, progress: 0.25 } });
    const shown = open(stateOf(graph, { tables: { calls: 2, bars: 1 } }));
    const made = shown.all(".nbf-node").find((found) => found.dataset.name === "load-1");
    expect(made.querySelector(".nbf-so-far").getAttribute("width")).toBe(String((156 - 20) * 0.25));
    const [calls, first] = block("calls", [{ activity: 0, number: 1, status: S.running, attempts: 1 }, { activity: 0, number: 2, status: S.done, attempts: 1 }]);
    const [bars, second] = block("bars", [{ call: 0, attempt: 1, worker: 0, status: S.running, ready: 0, started: 0, ended: NaN, progress: 0.25 }]);
    shown.model.tell({ kind: "rows", blocks: [calls, bars] }, [...first, ...second]);
    shown.all(".nbf-tab").find((tab) => tab.textContent === "Calls").click();
    frame();
    const row = shown.find(".nbf-calls .nbf-row[data-call='0'] .nbf-part-bar");
    expect([row.hidden, row.getAttribute("aria-valuenow"), row.firstChild.style.width]).toEqual([false, "25", "25%"]);
    expect(shown.find(".nbf-calls .nbf-row[data-call='1'] .nbf-part-bar")?.hidden ?? true).toBe(true);
  });

  test("the lines of a path are those between its boxes, through dots as well", () => {
    const of = (...list) => Uint32Array.from(list), side = (n) => new Float32Array(n);
    const plan = new Plan({ call: of(0, 1, 0xffffffff, 3, 4), x: side(5), y: side(5), w: side(5), h: side(5),
      source: of(0, 1, 2, 0, 3), target: of(1, 2, 3, 4, 4), kind: new Uint8Array(5) }, { width: 10, height: 10 });
    expect([...plan.along([0, 1, 3])]).toEqual([1, 1, 1, 0, 0]);
    expect([...plan.along([0, -1, 4])]).toEqual([0, 0, 0, 0, 0]);
  });

  test("it is said that a log is still being read", () => {
    const shown = open(stateOf(graphOf(CALLS), { head: { reading: true } }));
    expect(shown.find(".nbf-note").textContent).toContain("still being read");
  });

  test("it is said that all calls are counted while they are read, and no more once they are", () => {
    const state = stateOf(graphOf(CALLS), { head: { status: "completed", reading: true, counted: true } }), shown = open(state);
    expect(shown.find(".nbf-note").textContent).toContain("All calls are counted");
    shown.model.tell({ kind: "delta", base: 1, seq: 2, now: 6, head: { ...state.head, reading: false, counted: false } });
    frame();
    expect(shown.find(".nbf-note").hidden).toBe(true);
  });
});
