import { expect, test } from "vitest";
import { plain } from "../../js/lib/sentence";
import type { Head } from "../../js/lib/state";
import { notMeasured, scoreSentence } from "../../js/views/head_attribution/scores";

const SCORES = { layers: 2, heads: 2, values: new Float32Array([0.25, 0, Number.NaN, 0.75]) };
const say = (head: Head | null, scores = SCORES) =>
  plain(scoreSentence(scores, head, "previous token", "this prompt"));

test("a head's score is said beside the highest", () => {
  expect(say([0, 0])).toBe(
    "L0H0 has a previous token score of 0.250 of 1 on this prompt; the highest is L1H1's, 0.750.",
  );
  expect(say([1, 1])).toBe(
    "L1H1 has a previous token score of 0.750 of 1 on this prompt, the highest.",
  );
});

test("without a head, or for one that has no score, the highest is said", () => {
  const most = "Most like a previous token head on this prompt is L1H1: 0.750 of 1.";
  expect(say(null)).toBe(most);
  expect(say([1, 0])).toBe(most);
});

test("scores that are all zero have no highest", () => {
  const none = { layers: 1, heads: 2, values: new Float32Array(2) };
  expect(say(null, none)).toBe("No head has a previous token score above 0 on this prompt.");
  expect(say([0, 1], none)).toBe("L0H1 has a previous token score of 0 of 1 on this prompt.");
});

test("a prompt in which nothing repeats is told of, and only that", () => {
  const nothing = { layers: 1, heads: 2, values: new Float32Array(2).fill(Number.NaN) };
  expect(notMeasured(nothing, "induction")).toBe(
    "Nothing repeats in this prompt, so it has no induction score: choose random repeats.",
  );
  expect(notMeasured(SCORES, "induction")).toBeNull();
});
