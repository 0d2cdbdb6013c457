import { describe, expect, test } from "vitest";
import { changesOf, fieldsOf, type Inputs } from "../../js/views/token_strip/edit";
import { moveIn } from "../../js/views/token_strip/spot";

const INPUTS: Inputs = {
  prompts: ["one", "two"],
  answers: [
    [" a", " b"],
    [" c", null],
  ],
  prefills: null,
  own: false,
};

describe("an edit", () => {
  test("holds nothing where nothing changed", () => {
    expect(changesOf(INPUTS, {})).toBeNull();
    expect(changesOf(INPUTS, { 0: { prompt: "one" }, 1: { wrong: "" } })).toBeNull();
    expect(
      changesOf(
        { prompts: ["one"], answers: null, prefills: null, own: true },
        { 0: { right: "" } },
      ),
    ).toBeNull();
  });

  test("holds only what changed", () => {
    expect(changesOf(INPUTS, { 1: { prompt: "2" } })).toEqual({ prompts: ["one", "2"] });
    expect(changesOf(INPUTS, { 1: { wrong: " d" } })).toEqual({
      answers: [
        [" a", " b"],
        [" c", " d"],
      ],
    });
  });

  test("without answers asks for the model's own", () => {
    const empty = { right: "", wrong: "" };
    expect(changesOf(INPUTS, { 0: empty, 1: empty })).toEqual({ answers: null });
  });

  test("holds what replies begin with, of all rows where it is changed in one", () => {
    const chat = { ...INPUTS, prefills: ["So", ""] };
    expect(fieldsOf(chat, { 1: { prefill: "No" } }).map(({ prefill }) => prefill)).toEqual([
      "So",
      "No",
    ]);
    expect(changesOf(chat, { 0: { prefill: "So" } })).toBeNull();
    expect(changesOf(chat, { 1: { prefill: "No" } })).toEqual({ prefill: ["So", "No"] });
    expect(changesOf(chat, { 0: { prompt: "1" } })).toEqual({ prompts: ["1", "two"] });
    expect(changesOf(chat, { 0: { prefill: "" } })).toEqual({ prefill: null });
  });

  test("keeps what was typed when the run changes under it", () => {
    const typed = { 0: { prompt: "typed" } };
    expect(fieldsOf({ prompts: ["new"], answers: null, prefills: null, own: true }, typed)).toEqual(
      [{ prompt: "typed", right: "", wrong: "" }],
    );
    expect(fieldsOf(INPUTS, typed)[1]).toEqual({ prompt: "two", right: " c", wrong: "" });
  });
});

describe("keys", () => {
  test("move along a row and stop at its ends", () => {
    expect(moveIn([3], { row: 0, position: 2 }, "ArrowRight")).toEqual({ row: 0, position: 2 });
    expect(moveIn([3], { row: 0, position: 0 }, "ArrowLeft")).toEqual({ row: 0, position: 0 });
    expect(moveIn([3], { row: 0, position: 0 }, "End")).toEqual({ row: 0, position: 2 });
    expect(moveIn([3], { row: 0, position: 0 }, "x")).toBeNull();
  });

  test("lead to a row's number where there are several, and to shorter rows", () => {
    const number = { row: 0, position: null };
    expect(moveIn([3, 2], { row: 0, position: 0 }, "ArrowLeft")).toEqual(number);
    expect(moveIn([3, 2], number, "ArrowDown")).toEqual({ row: 1, position: null });
    expect(moveIn([3, 2], number, "ArrowRight")).toEqual({ row: 0, position: 0 });
    expect(moveIn([3, 2], { row: 0, position: 2 }, "ArrowDown")).toEqual({ row: 1, position: 1 });
  });
});
