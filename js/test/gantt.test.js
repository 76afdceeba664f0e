import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { GanttTab } from "../src/gantt.js";
import { Frame, noteCanvas, point, press } from "./frame.js";
import { Model, S, made } from "./made.js";

let notes, frame, tab;

beforeEach(() => {
  vi.useFakeTimers();
  notes = noteCanvas();
});

afterEach(() => vi.useRealTimers());

/** Three bars on two workers: done, failed and tried again. */
function small() {
  const bar = { packing: 0, attempt: 1, worker: 0 };
  return {
    calls: [{ activity: 0, number: 1, status: S.done, attempts: 1, asked: 0 }, { activity: 1, number: 1, status: S.done, attempts: 2, asked: 0 }],
    bars: [{ ...bar, call: 0, status: S.done, ready: 0, started: 1, ended: 4, packing: 1 }, { ...bar, call: 1, worker: 1, status: S.failed, ready: 0, started: 0, ended: 2 },
      { ...bar, call: 1, worker: 1, attempt: 2, status: S.done, ready: 3, started: 6, ended: 9 }],
    names: { activities: ["load", "<b>fit</b>"], workers: ["worker-1", "worker-2"], labels: {} }, now: 10, critical: [1, 2],
  };
}

function shown(run, options) {
  frame = new Frame(new Model(run, options), [GanttTab]);
  [tab] = frame.parts;
  frame.frame();
}

const at = (time, lane) => [tab.left + ((time - tab.shown[0]) / (tab.shown[1] - tab.shown[0])) * tab.plot, 24 + (lane + 0.5) * tab.lane];
const words = () => notes.filter(([name]) => name === "fillText").map(([, text]) => text);
const figures = () => Object.fromEntries([...tab.figures.children].map((one) => [one.children[0].textContent, one.children[1].textContent]));

describe("the chart", () => {
  it("writes lanes, calls, attempts and the idle share on the canvas, never as markup", () => {
    shown(small());
    expect(words()).toEqual(expect.arrayContaining(["worker-1", "worker-2", "load-1", "<b>fit</b>-1 ↻2", "idle", "70 %", "50 %"]));
    expect(tab.box.querySelector("b")).toBeNull();
    expect(tab.legend.textContent).toContain("<b>fit</b>");
  });

  it("says where the run's time went, by the kernel or else by the bars", () => {
    shown(small());
    expect(figures()).toEqual({ work: "8.00 s", "critical path": "5.00 s", efficiency: "40 %", idle: "60 %" });
    shown(small(), { head: { figures: {} } });
    expect(figures()).toEqual({ work: "8.00 s", efficiency: "40 %", idle: "60 %" });
  });

  it("has a word for a run without bars", () => {
    shown({ ...small(), bars: [], calls: [], critical: [] }, { status: "running" });
    expect(tab.empty.textContent).toContain("No call has started yet");
    shown({ ...small(), bars: [], calls: [], critical: [] });
    expect([tab.empty.textContent, tab.scroller.hidden]).toEqual(["The workflow made no calls.", true]);
  });

  it("tells the bar under the pointer, and which call that is to other tabs", () => {
    shown(small());
    point(tab.canvas, "pointermove", ...at(7, 1));
    expect(frame.hovered).toBe(1);
    for (const word of ["<b>fit</b>-1", "done, attempt 2", "queued3.00 s", "ran3.00 s", "worker-2"]) expect(frame.tip.text).toContain(word);
    point(tab.canvas, "pointermove", ...at(2, 0));
    expect(frame.tip.text).toContain("storing1.00 s");
    point(tab.canvas, "pointerleave", 0, 0);
    expect([frame.hovered, frame.tip.text]).toEqual([null, ""]);
  });

  it("tells what waited at a lead-in, and of a lane at its name", () => {
    shown(small());
    point(tab.canvas, "pointermove", ...at(5, 1));
    expect(frame.tip.text).toContain("attempt 2");
    point(tab.canvas, "pointermove", 4, at(0, 1)[1]);
    expect(frame.tip.text).toContain("idle50 %");
  });

  it("selects by a click, not by a drag", () => {
    shown(small());
    point(tab.canvas, "pointerdown", ...at(3, 0));
    point(tab.canvas, "pointerup", ...at(3, 0));
    expect(frame.selected).toBe(0);
    frame.select(null);
    point(tab.canvas, "pointerdown", ...at(3, 0));
    point(tab.canvas, "pointermove", at(3, 0)[0] - 60, at(3, 0)[1]);
    point(tab.canvas, "pointerup", at(3, 0)[0] - 60, at(3, 0)[1]);
    expect(frame.selected).toBeNull();
  });

  it("zooms with ctrl or shift and the wheel about the pointer, and leaves the plain wheel to the page", () => {
    shown(small());
    const [x, y] = at(6, 1), plain = point(tab.canvas, "wheel", x, y, {});
    expect([plain.defaultPrevented, tab.window]).toEqual([false, null]);
    const wheel = (deltaY, more) => {
      const event = new WheelEvent("wheel", { deltaY, bubbles: true, cancelable: true, ...more });
      Object.defineProperties(event, { offsetX: { value: x }, offsetY: { value: y } });
      tab.canvas.dispatchEvent(event);
      return event;
    };
    expect(wheel(-100, { ctrlKey: true }).defaultPrevented).toBe(true);
    wheel(-100, { shiftKey: true });
    expect(tab.shown[1] - tab.shown[0]).toBeLessThan(7);
    expect(at(6, 1)[0]).toBeCloseTo(x, 3);
    const before = tab.shown[0];
    point(tab.canvas, "pointerdown", x, y);
    point(tab.canvas, "pointermove", x - 50, y);
    point(tab.canvas, "pointerup", x - 50, y);
    expect(tab.shown[0]).toBeGreaterThan(before);
    for (let i = 0; i < 9; i++) wheel(300, { ctrlKey: true });
    expect(tab.window).toBeNull();
  });

  it("shows a bar large by a double click, the whole run by one beside the bars", () => {
    shown(small());
    point(tab.canvas, "dblclick", ...at(7, 1));
    expect(tab.shown[0]).toBeCloseTo(6 - 0.9);
    expect(tab.shown[1]).toBeCloseTo(9 + 0.9);
    frame.frame();
    point(tab.canvas, "dblclick", ...at(8, 0));
    expect(tab.window).toBeNull();
  });

  it("is walked by arrows, which the notebook does not see, and says where one is", () => {
    shown(small());
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    const seen = ["ArrowRight", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"].map((key) => {
      expect(press(tab.canvas, key).defaultPrevented).toBe(true);
      return tab.focus;
    });
    expect(seen).toEqual([0, 1, 2, 2, 1, 0]);
    expect(tab.spoken.textContent).toContain("load-1, activity load, status done");
    press(tab.canvas, "Enter");
    expect(frame.selected).toBe(0);
    press(tab.canvas, "+");
    expect(tab.window).not.toBeNull();
    press(tab.canvas, "Home");
    expect(tab.window).toBeNull();
    press(tab.canvas, "Escape");
    expect([frame.selected, tab.focus]).toEqual([null, -1]);
    press(tab.canvas, "d");
    expect(heard).not.toHaveBeenCalled();
    press(tab.canvas, "s", { ctrlKey: true });
    press(tab.canvas, "Tab");
    expect(heard).toHaveBeenCalledTimes(2);
    document.body.removeEventListener("keydown", heard);
  });

  it("has lanes by activity and colours by status on demand", () => {
    shown(small());
    notes.length = 0;
    [...tab.lanesBy.buttons.values()][1].click();
    [...tab.colorBy.buttons.values()][1].click();
    frame.frame();
    expect(words()).toEqual(expect.arrayContaining(["load", "<b>fit</b>", "work"]));
    expect(tab.legend.textContent).toContain("cancelled");
    expect(tab.colorBy.buttons.get("status").getAttribute("aria-checked")).toBe("true");
  });

  it("brings a call that is selected elsewhere into sight", () => {
    shown(small());
    tab.zoomTo(6.5, 7);
    frame.select(0);
    expect(tab.inSight(0)).toBe(true);
    const before = tab.shown;
    frame.select(0);
    expect(tab.shown).toEqual(before);
  });

  it("keeps its picture while the rows are asked for anew", () => {
    shown(small());
    notes.length = 0;
    frame.store.bars.forget();
    frame.store.calls.forget();
    frame.draw();
    expect([tab.scroller.hidden, tab.empty.hidden, words()]).toEqual([false, true, []]);
    frame.store.model.rows({ calls: 0, bars: 0 });
    frame.draw();
    expect(words()).toContain("load-1");
    shown(small(), { silent: true });
    expect(tab.empty.textContent).toContain("Fetching the rows");
  });

  it("offers the critical path once it is known", () => {
    shown(small());
    expect([tab.path.hidden, tab.path.getAttribute("aria-pressed"), tab.scene().critical]).toEqual([false, "true", [1, 2]]);
    tab.path.click();
    frame.frame();
    expect([tab.path.getAttribute("aria-pressed"), tab.scene().critical]).toEqual(["false", null]);
    shown(small(), { status: "running" });
    expect(tab.path.hidden).toBe(true);
  });

  it("grows with a run, and keeps a window that one has chosen", () => {
    const run = made({ count: 12, until: 1, seed: 2 });
    shown(run, { status: "running" });
    const before = tab.shown[1], rows = run.bars.length;
    run.now = 30;
    frame.store.model.news({ bars: { [rows]: { call: 11, attempt: 1, worker: 7, status: S.running, ready: 20, started: 21, ended: NaN, packing: 0 } } });
    vi.advanceTimersByTime(2000);
    frame.frame();
    expect(tab.shown[1]).toBeGreaterThan(before + 20);
    expect(tab.packed.of.length).toBe(rows + 1);
    tab.zoom(0.5);
    const kept = tab.shown[1] - tab.shown[0];
    run.now = 60;
    frame.store.model.news({});
    frame.frame();
    expect(tab.shown[1] - tab.shown[0]).toBeCloseTo(kept, 6);
  });

  it("sums up what is too narrow, and names the failed one among them", () => {
    shown(made({ count: 30000, workers: 2, mean: 0.01, failing: 0.01, seed: 4 }));
    const failed = frame.store.model.run.bars.findIndex(({ status }) => status === S.failed), { started, worker } = frame.store.model.run.bars[failed];
    point(tab.canvas, "pointermove", ...at(started, worker));
    expect(frame.tip.text).toMatch(/\d+ attempts/);
    expect(frame.tip.text).toMatch(/\d+ failed/);
    expect(frame.store.model.run.bars.filter(({ call, status }) => call === frame.hovered && status === S.failed).length).toBeGreaterThan(0);
    expect(notes.filter(([name]) => name === "roundRect" || name === "fillRect").length).toBeLessThan(4000);
  }, 20_000);
});
