import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LogTab } from "../src/log.js";
import { Frame, noteCanvas, press, type } from "./frame.js";
import { Model, made } from "./made.js";

let frame, tab;

beforeEach(() => {
  vi.useFakeTimers();
  noteCanvas();
});

afterEach(() => vi.useRealTimers());

const line = (i, channel = "stdout", text = `line ${i}`) => [i / 10, i % 4, 1, channel, text];
const many = (count) => Array.from({ length: count }, (_, i) => line(i));

function shown(log, options = {}) {
  frame = new Frame(new Model(made({ count: 4 }), { log, ...options }), [LogTab]);
  [tab] = frame.parts;
  frame.frame();
}

/** Scroll as a reader does: the browser says so afterwards. */
function scroll(top) {
  tab.list.top = top;
  tab.list.box.dispatchEvent(new Event("scroll"));
  frame.frame();
}

function more(lines) {
  frame.store.model.tell({ kind: "log", from: frame.store.log.first + frame.store.log.lines.length, lines, cut: frame.store.model.cut });
  frame.frame();
}

const texts = () => [...tab.list.body.children].map((row) => row.querySelector(".nbf-text").textContent);

describe("the log", () => {
  it("asks for its lines and has only those in sight on the page", () => {
    shown(many(5000));
    expect(frame.store.model.sent).toContainEqual({ kind: "log", from: 0 });
    expect(tab.list.body.children.length).toBeLessThan(50);
    expect([tab.told.textContent, texts().at(-1)]).toEqual(["5,000 lines", "line 4999"]);
  });

  it("stays at the end until one scrolls up, and goes on when told to", () => {
    shown(many(200));
    more([line(200)]);
    expect([texts().at(-1), tab.on.hidden]).toEqual(["line 200", true]);
    scroll(100);
    more([line(201), line(202)]);
    expect([tab.on.hidden, tab.on.textContent, tab.list.top]).toEqual([false, "↓ 2 new lines", 100]);
    expect(texts()).not.toContain("line 202");
    tab.on.click();
    frame.frame();
    expect([texts().at(-1), tab.on.hidden]).toEqual(["line 202", true]);
    more([line(203)]);
    expect(texts().at(-1)).toBe("line 203");
  });

  it("tells channels and levels apart by a word and a kind", () => {
    shown([line(0), line(1, "stderr"), line(2, "log:WARNING"), line(3, "log:ERROR")]);
    const found = [...tab.list.body.children].map((row) => [row.dataset.kind, row.querySelector(".nbf-mark-word").textContent]);
    expect(found).toEqual([["stdout", ""], ["stderr", "stderr"], ["warning", "WARNING"], ["error", "ERROR"]]);
    tab.channels.buttons.get("log").click();
    frame.frame();
    expect(tab.told.textContent).toBe("2 of 4 lines");
  });

  it("is filtered by text and by the selected call", () => {
    shown(many(40));
    type(tab.search, "line 1");
    frame.frame();
    expect(tab.told.textContent).toBe("11 of 40 lines");
    type(tab.search, "");
    expect(tab.mine.hidden).toBe(true);
    frame.select(2);
    frame.frame();
    tab.mine.click();
    frame.frame();
    expect([tab.told.textContent, tab.mine.textContent, tab.mine.getAttribute("aria-pressed")]).toEqual(["10 of 40 lines", `Only ${frame.store.label(2)}`, "true"]);
    frame.select(null);
    frame.frame();
    expect(tab.told.textContent).toBe("40 lines");
  });

  it("selects a line's call by its id", () => {
    shown(many(8));
    tab.list.body.children[3].querySelector(".nbf-who").click();
    expect(frame.selected).toBe(3);
    tab.list.body.children[1].querySelector(".nbf-text").click();
    expect(frame.selected).toBe(3);
  });

  it("says how many earlier lines are gone", () => {
    shown(many(5), { cut: 1200 });
    expect(tab.cut.textContent).toBe("1,200 earlier lines not kept");
    shown(many(5));
    expect(tab.cut.hidden).toBe(true);
  });

  it("forgets the first of very many lines, and what one reads stays where it is", () => {
    shown(many(21_990));
    scroll(9000 * 20);
    const read = texts();
    more([...Array(30).keys()].map((i) => line(21_990 + i)));
    expect([tab.told.textContent, tab.cut.textContent]).toEqual(["20,000 lines", "2,020 earlier lines not kept"]);
    expect(texts()).toEqual(read);
    expect(tab.on.textContent).toBe("↓ 30 new lines");
  });

  it("copies the lines that are shown", async () => {
    const copied = vi.fn(async () => {});
    vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText: copied } });
    shown([line(0), line(1, "stderr", "oh")]);
    type(tab.search, "oh");
    frame.frame();
    const button = tab.box.querySelector(".nbf-copy");
    button.click();
    await vi.advanceTimersByTimeAsync(10);
    expect(copied).toHaveBeenCalledWith(`0.100\t${frame.store.label(1)}\tstderr: oh`);
    expect(button.textContent).toBe("Copied");
    vi.unstubAllGlobals();
  });

  it("shows what was printed as text, and cuts a line without end", () => {
    shown([line(0, "stdout", "<script>alert(1)</script>"), line(1, "stdout", "x".repeat(9000))]);
    expect(tab.box.querySelector("script")).toBeNull();
    expect(texts()[0]).toBe("<script>alert(1)</script>");
    expect(texts()[1]).toMatch(/^x{4000}… \(5,000 more letters\)$/);
  });

  it("has a word for no lines: not yet, never, none that fits", () => {
    shown([], { status: "running" });
    expect(tab.empty.textContent).toContain("Nothing written yet");
    shown([]);
    expect(tab.empty.textContent).toBe("No call printed or logged anything.");
    shown(many(3));
    type(tab.search, "zzz");
    frame.frame();
    expect([tab.empty.textContent, tab.list.box.hidden]).toEqual(["No line fits this filter.", true]);
  });

  it("keeps its keys from the notebook", () => {
    shown(many(300));
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    press(tab.list.box, "Home");
    expect(tab.list.top).toBe(0);
    press(tab.list.box, "PageDown");
    expect(tab.list.top).toBeGreaterThan(100);
    press(tab.list.box, "End");
    expect(tab.list.atEnd).toBe(true);
    press(tab.list.box, "d");
    expect(heard).not.toHaveBeenCalled();
    document.body.removeEventListener("keydown", heard);
  });
});
